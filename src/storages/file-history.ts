import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../core/errors.js'
import { MAX_ID, type Oid, type Tid } from '../core/oid.js'
import type { PointInTime, Snapshot, TransactionInfo, TransactionRange } from '../core/storage.js'
import type { JournalView } from '../journal/shared-journal.js'
import type { FoundTransaction, Steps, TransactionFinder } from '../journal/transaction-finder.js'
import { FileSnapshot, type HandleState, Pause } from './file-snapshot.js'

/** Which transactions are wanted, as a stretch of the journal: from a beginning to an end. */
interface Stretch {
  readonly from: number
  readonly to: number
}

const NOTHING: Stretch = { from: 0, to: 0 }

/** Reads the past of a journal, for one call: the journal stays open until it is done. */
export class FileHistory {
  readonly #path: string
  readonly #view: JournalView
  readonly #handle: HandleState
  readonly #newest: Tid
  readonly #finder: TransactionFinder
  readonly #pause = new Pause(1)

  /** @param newest transaction that counts as there */
  constructor(path: string, view: JournalView, handle: HandleState, newest: Tid) {
    this.#path = path
    this.#view = view
    this.#handle = handle
    this.#newest = newest
    this.#finder = view.finder()
  }

  async snapshotAt(at: PointInTime): Promise<Snapshot> {
    this.#view.retain()
    try {
      const tid = await this.#resolve(at)
      if (tid > this.#newest) {
        throw new PerdureError(
          'PERDURE_ARGUMENT',
          `There is no transaction ${tid} yet in ${this.#path}: the newest is ${this.#newest}.`,
        )
      }
      return new FileSnapshot(this.#view, tid, this.#handle)
    } finally {
      this.#view.release()
    }
  }

  async *transactions({ from, to, oid, newestFirst = false }: TransactionRange): AsyncGenerator<TransactionInfo> {
    if (oid !== undefined && !isId(oid)) throw new PerdureError('PERDURE_ARGUMENT', `${oid} is not an oid.`)
    this.#view.retain()
    try {
      const first = from === undefined ? 0 : await this.#resolve(from)
      const last = to === undefined ? this.#newest : await this.#resolve(to, 0)
      const stretch = await this.#stretch(first, Math.min(last, this.#newest))
      const walk = oid !== undefined ? this.#ofObject(oid, stretch, newestFirst) : this.#all(stretch, newestFirst)
      for (let step = walk.next(); !step.done; step = walk.next()) {
        if (step.value !== undefined) yield step.value
        await this.#breathe()
      }
    } finally {
      this.#view.release()
    }
  }

  /**
   * The transaction as of which things were as they were at that moment.
   *
   * @param tooOld what to give for a moment that is further back than history goes; not given: that is an error
   */
  async #resolve(at: PointInTime, tooOld?: Tid): Promise<Tid> {
    const { historyFrom } = this.#view.header
    const tid = at instanceof Date ? await this.#tidAt(at) : at
    if (!isId(tid)) throw new PerdureError('PERDURE_ARGUMENT', `${String(at)} is neither a tid nor a Date.`)
    if (tid >= historyFrom) return tid
    if (tooOld !== undefined) return tooOld
    const historyTime = await this.#historyTime()
    throw new PerdureError(
      'PERDURE_HISTORY',
      `${this.#path} cannot be read as of ${at instanceof Date ? at.toISOString() : `transaction ${at}`}: its history begins with transaction ${historyFrom} (${new Date(historyTime).toISOString()}).`,
      { details: { path: this.#path, historyFrom, historyTime } },
    )
  }

  /** 0, when there was nothing, for a time before the first transaction. */
  async #tidAt(time: Date): Promise<Tid> {
    const ms = time.getTime()
    if (Number.isNaN(ms)) throw new PerdureError('PERDURE_ARGUMENT', 'This is not a valid Date.')
    const found = await this.#run(this.#finder.notAfter(ms))
    return Math.min(found?.header.tid ?? 0, this.#newest)
  }

  async #historyTime(): Promise<number> {
    const { historyFrom, created } = this.#view.header
    const found = await this.#run(this.#finder.withTid(historyFrom))
    return found?.header.time ?? created
  }

  /** Transactions up to `historyFrom` hold what was there by then, and nobody made them. */
  async #stretch(first: Tid, last: Tid): Promise<Stretch> {
    const from = await this.#find(Math.max(first, this.#view.header.historyFrom + 1), last)
    const to = await this.#find(last, last)
    return from === undefined || to === undefined ? NOTHING : { from: from.position, to: to.end }
  }

  async #find(tid: Tid, last: Tid): Promise<FoundTransaction | undefined> {
    return tid > last ? undefined : this.#run(this.#finder.withTid(tid))
  }

  *#all({ from, to }: Stretch, newestFirst: boolean): Generator<TransactionInfo | undefined> {
    for (let start = from, end = to; start < end; ) {
      const found = newestFirst ? this.#finder.endingAt(end) : this.#finder.at(start)
      if (newestFirst) end = found.position
      else start = found.end
      yield yield* this.#finder.info(found)
    }
  }

  /** Goes from one version of the object to the one before, so that nothing else is read. */
  *#ofObject(oid: Oid, stretch: Stretch, newestFirst: boolean): Generator<TransactionInfo | undefined> {
    const offsets: number[] = []
    for (const offset of this.#view.reader.versions(oid, this.#view.index.get(oid))) {
      if (offset < stretch.from) break
      if (offset >= stretch.to) yield
      else if (newestFirst) yield yield* this.#writerOf(offset, stretch)
      else offsets.push(offset)
      yield
    }
    for (const offset of offsets.reverse()) yield yield* this.#writerOf(offset, stretch)
  }

  *#writerOf(offset: number, { from }: Stretch): Steps<TransactionInfo> {
    return yield* this.#finder.info(yield* this.#finder.around(offset, from))
  }

  async #run<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
      await this.#breathe()
    }
  }

  /** Lets other work of the thread be done if it is time. */
  async #breathe(): Promise<void> {
    if (this.#pause.isDue()) await nextTurn()
    if (this.#handle.closed) throw new PerdureError('PERDURE_CLOSED', `${this.#path} has been closed.`)
  }
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID
}

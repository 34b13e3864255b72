import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../core/errors.js'
import { isId, type Oid, type Tid } from '../core/oid.js'
import type { PointInTime, Snapshot, TransactionInfo, TransactionRange } from '../core/storage.js'
import type { JournalView } from '../journal/shared-journal.js'
import type { FoundTransaction, Steps, TransactionFinder } from '../journal/transaction-finder.js'
import { FileSnapshot, type HandleState, Pause } from './file-snapshot.js'
import { PointFinder } from './point-finder.js'

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
  readonly #points: PointFinder
  readonly #pause = new Pause(1)

  /** @param newest transaction that counts as there */
  constructor(path: string, view: JournalView, handle: HandleState, newest: Tid) {
    this.#path = path
    this.#view = view
    this.#handle = handle
    this.#newest = newest
    this.#finder = view.finder()
    this.#points = new PointFinder(path, view.header, newest, this.#finder, (steps) => this.#run(steps))
  }

  async snapshotAt(at: PointInTime): Promise<Snapshot> {
    this.#view.retain()
    try {
      return new FileSnapshot(this.#view, await this.#points.existing(at), this.#handle)
    } finally {
      this.#view.release()
    }
  }

  async *transactions({ from, to, oid, newestFirst = false }: TransactionRange): AsyncGenerator<TransactionInfo> {
    if (oid !== undefined && !isId(oid)) throw new PerdureError('PERDURE_ARGUMENT', `${oid} is not an oid.`)
    this.#view.retain()
    try {
      const first = from === undefined ? 0 : await this.#points.atOrAfter(from)
      const last = to === undefined ? this.#newest : await this.#points.atOrAfter(to, 0)
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
      else if (newestFirst) yield yield* this.#writerOf(oid, offset, stretch)
      else offsets.push(offset)
      yield
    }
    for (const offset of offsets.reverse()) yield yield* this.#writerOf(oid, offset, stretch)
  }

  /** Undefined if a pack has put the version there. */
  *#writerOf(oid: Oid, offset: number, { from }: Stretch): Steps<TransactionInfo | undefined> {
    const found = yield* this.#finder.around(offset, from)
    // It may have been carried by the very transaction that wrote the next one.
    if (this.#view.reader.tidAt(oid, offset) !== found.header.tid) return undefined
    return yield* this.#finder.info(found)
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

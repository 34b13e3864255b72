import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { Retention } from '../core/storage.js'
import { FILE_HEADER_BYTES, type FileHeader } from './format.js'
import type { OpenFile } from './journal-file.js'
import { momentAfter, type PackMoment } from './pack-moment.js'
import { complete, TransactionFinder } from './transaction-finder.js'

const KINDS = ['tid', 'date', 'durationMs', 'transactions'] as const

/** What a pack keeps of a journal that ends at `end`, apart from the newest state. */
export class RetainedHistory {
  /** After the newest transaction. */
  readonly newest: PackMoment
  readonly #path: string
  readonly #header: FileHeader
  readonly #finder: TransactionFinder

  /** @throws CorruptionError */
  constructor(file: OpenFile, header: FileHeader, end: number) {
    this.#path = file.path
    this.#header = header
    this.#finder = new TransactionFinder(file, header, end)
    this.newest = momentAfter(header, end === FILE_HEADER_BYTES ? undefined : this.#finder.endingAt(end))
  }

  /**
   * The moment from which on history is to be kept.
   *
   * @param now in ms since 1970
   * @throws PerdureError `PERDURE_HISTORY` if less is kept already; `PERDURE_ARGUMENT` for a tid that is still to come;
   *   CorruptionError
   */
  from(retain: Retention | undefined, now = Date.now()): PackMoment {
    if (retain === undefined) return this.newest
    if ('tid' in retain) return this.#fromTid(retain.tid)
    if ('date' in retain) return this.#fromTime(retain.date.getTime())
    if ('durationMs' in retain) return this.#fromTime(now - retain.durationMs)
    const tid = this.newest.tid - retain.transactions
    // All there is may be fewer, unless a pack has removed the others.
    return this.#fromTid(this.#header.historyFrom === 0 ? Math.max(0, tid) : tid)
  }

  #fromTid(tid: Tid): PackMoment {
    if (tid > this.newest.tid) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `Cannot keep history from transaction ${tid} on: the newest is ${this.newest.tid}.`,
      )
    }
    // Before its history a journal may have transactions with the same tids, but these are not what was there.
    if (tid < this.#header.historyFrom) throw this.#tooFarBack()
    return this.#momentOf(tid)
  }

  #fromTime(time: number): PackMoment {
    const found = momentAfter(this.#header, complete(this.#finder.notAfter(time)))
    if (found.tid < this.#header.historyFrom) throw this.#tooFarBack()
    return found
  }

  #momentOf(tid: Tid): PackMoment {
    return momentAfter(this.#header, complete(this.#finder.withTid(tid)))
  }

  #tooFarBack(): PerdureError {
    const { historyFrom } = this.#header
    const historyTime = this.#momentOf(historyFrom).time
    return new PerdureError(
      'PERDURE_HISTORY',
      `${this.#path} keeps history from transaction ${historyFrom} on (${new Date(historyTime).toISOString()}); what was before it cannot be retained. Retain less.`,
      { details: { path: this.#path, historyFrom, historyTime } },
    )
  }
}

/** @throws PerdureError `PERDURE_ARGUMENT` */
export function checkRetention(retain: Retention | undefined): void {
  if (retain === undefined) return
  const given = typeof retain === 'object' && retain !== null ? Object.keys(retain) : []
  const [kind] = given
  const isOne = given.length === 1 && KINDS.includes(kind as (typeof KINDS)[number])
  if (isOne && isPossible(retain)) return
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    'retain must be one of { tid }, { date }, { durationMs } and { transactions }: a whole number from 0, or a Date.',
  )
}

function isPossible(retain: Retention): boolean {
  if ('date' in retain) return retain.date instanceof Date && !Number.isNaN(retain.date.getTime())
  if ('durationMs' in retain) return Number.isFinite(retain.durationMs) && retain.durationMs >= 0
  const number = 'tid' in retain ? retain.tid : retain.transactions
  return Number.isSafeInteger(number) && number >= 0
}

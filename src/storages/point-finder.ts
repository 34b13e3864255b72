import { PerdureError } from '../core/errors.js'
import { isId, type Tid } from '../core/oid.js'
import type { PointInTime } from '../core/storage.js'
import type { FileHeader } from '../journal/format.js'
import type { Steps, TransactionFinder } from '../journal/transaction-finder.js'

/** Finds the transactions that belong to moments of the past. */
export class PointFinder {
  readonly #path: string
  readonly #header: FileHeader
  readonly #newest: Tid
  readonly #finder: TransactionFinder
  readonly #run: <T>(steps: Steps<T>) => Promise<T>

  /**
   * @param newest transaction that counts as there
   * @param run does the work of the finder
   */
  constructor(
    path: string,
    header: FileHeader,
    newest: Tid,
    finder: TransactionFinder,
    run: <T>(steps: Steps<T>) => Promise<T>,
  ) {
    this.#path = path
    this.#header = header
    this.#newest = newest
    this.#finder = finder
    this.#run = run
  }

  /**
   * The transaction as of which things were as they were at that moment.
   *
   * @throws PerdureError `PERDURE_HISTORY`, `PERDURE_ARGUMENT`
   */
  async existing(at: PointInTime): Promise<Tid> {
    const tid = await this.atOrAfter(at)
    if (tid <= this.#newest) return tid
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `There is no transaction ${tid} yet in ${this.#path}: the newest is ${this.#newest}.`,
    )
  }

  /**
   * As {@link existing}, but it may be a transaction that is still to come.
   *
   * @param tooOld what to give for a moment that is further back than history goes; not given: that is an error
   * @throws PerdureError `PERDURE_HISTORY`, `PERDURE_ARGUMENT`
   */
  async atOrAfter(at: PointInTime, tooOld?: Tid): Promise<Tid> {
    const { historyFrom } = this.#header
    const tid = at instanceof Date ? await this.#notAfter(at) : at
    if (!isId(tid)) throw new PerdureError('PERDURE_ARGUMENT', `${String(at)} is neither a tid nor a Date.`)
    if (tid >= historyFrom) return tid
    if (tooOld !== undefined) return tooOld
    const historyTime = await this.#historyTime()
    const asked = at instanceof Date ? at.toISOString() : `transaction ${at}`
    throw new PerdureError(
      'PERDURE_HISTORY',
      `${this.#path} cannot be read as of ${asked}: its history begins with transaction ${historyFrom} (${new Date(historyTime).toISOString()}).`,
      { details: { path: this.#path, historyFrom, historyTime } },
    )
  }

  /** 0, when there was nothing, for a time before the first transaction. */
  async #notAfter(time: Date): Promise<Tid> {
    const ms = time.getTime()
    if (Number.isNaN(ms)) throw new PerdureError('PERDURE_ARGUMENT', 'This is not a valid Date.')
    const found = await this.#run(this.#finder.notAfter(ms))
    return Math.min(found?.header.tid ?? 0, this.#newest)
  }

  async #historyTime(): Promise<number> {
    const found = await this.#run(this.#finder.withTid(this.#header.historyFrom))
    return found?.header.time ?? this.#header.created
  }
}

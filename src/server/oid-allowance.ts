import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import type { RecordWrite } from '../core/storage.js'

/** Oids that one request may reserve. */
const MOST_ALLOCATED = 1_048_576

/** Oids that a client may have reserved and not used. */
const MOST_UNUSED = 4 * MOST_ALLOCATED

/** So many of them are forgiven in a second: those of transactions that were given up are never used. */
const FORGIVEN_PER_SECOND = 2_048

/**
 * How many oids one client may still reserve. There are only so many, and what is reserved and not used is lost: a
 * client that does nothing but reserve would leave none for the others.
 */
export class OidAllowance {
  readonly #now: () => number
  #unused = 0
  /** When what is forgiven was last taken off, in ms. */
  #since: number
  #first: Oid = Number.POSITIVE_INFINITY

  /** @param now the time in ms, on a clock that is never set */
  constructor(now = () => performance.now()) {
    this.#now = now
    this.#since = now()
  }

  /**
   * @param reserve reserves so many oids and returns the first
   * @returns what `reserve` does
   * @throws PerdureError `PERDURE_LIMIT` if that is too many at once, or with those that have not been used
   */
  take(count: number, reserve: (count: number) => Oid): Oid {
    if (count > MOST_ALLOCATED) {
      throw new PerdureError('PERDURE_LIMIT', `${count} oids cannot be reserved at once: ${MOST_ALLOCATED} at most.`, {
        details: { limit: MOST_ALLOCATED },
      })
    }
    this.#forgive()
    if (this.#unused + count > MOST_UNUSED) {
      throw new PerdureError(
        'PERDURE_LIMIT',
        `This client has reserved ${Math.ceil(this.#unused)} oids that it has not used, and cannot have ${count} more: ${MOST_UNUSED} at most. Commit new objects first; in each second ${FORGIVEN_PER_SECOND} are forgiven.`,
        { details: { limit: MOST_UNUSED } },
      )
    }
    const first = reserve(count)
    this.#unused += count
    this.#first = Math.min(this.#first, first)
    return first
  }

  /** These objects have been stored. That some of them may have been before makes it no cheaper to waste oids. */
  stored(writes: readonly RecordWrite[]): void {
    const used = writes.reduce((sum, { oid }) => sum + (oid >= this.#first ? 1 : 0), 0)
    this.#unused = Math.max(0, this.#unused - used)
  }

  #forgive(): void {
    const now = this.#now()
    this.#unused = Math.max(0, this.#unused - ((now - this.#since) / 1000) * FORGIVEN_PER_SECOND)
    this.#since = now
  }
}

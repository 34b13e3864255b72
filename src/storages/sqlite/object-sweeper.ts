import type { Oid, Tid } from '../../core/oid.js'
import type { RemovalStatements } from './removal-statements.js'

/** What {@link ObjectSweeper.sweep} has deleted. */
export interface Swept {
  readonly bytes: number
  /** The newest removal that is not known any more; 0 if there is none. */
  readonly forgotten: Tid
}

/** Deletes the versions of objects that cannot be seen any more. */
export class ObjectSweeper {
  readonly #statements: RemovalStatements
  readonly #historyFrom: Tid
  /** Transactions at which there are snapshots, in ascending order. */
  readonly #seen: readonly Tid[]

  constructor(statements: RemovalStatements, historyFrom: Tid, seen: Iterable<Tid>) {
    this.#statements = statements
    this.#historyFrom = historyFrom
    this.#seen = [...seen].sort((a, b) => a - b)
  }

  /** @param isGarbage they could not be reached from `historyFrom` on, so that the past need not have them either */
  sweep(oids: Iterable<Oid>, isGarbage: boolean): Swept {
    let bytes = 0
    let forgotten = 0
    for (const oid of oids) {
      const rows = this.#statements.versionsOf(oid)
      // Garbage may have been stored anew, in which case it has a past again.
      const unneeded = isGarbage && rows.at(-1)?.bytes === undefined
      let isFirst = true
      for (const [i, row] of rows.entries()) {
        const next = rows[i + 1]?.tid ?? Number.POSITIVE_INFINITY
        const keeps =
          row.bytes === undefined
            ? // A removal hides what was before, and has to be told to those who have the object cached, or commit what
              // refers to it.
              !isFirst || row.tid > this.#historyFrom || this.#isSeenBefore(row.tid)
            : (!unneeded && next > this.#historyFrom) || this.#isSeen(row.tid, next)
        if (keeps) {
          isFirst = false
          continue
        }
        this.#statements.deleteVersion(row.id)
        bytes += row.bytes ?? 0
        if (row.bytes === undefined) forgotten = Math.max(forgotten, row.tid)
      }
    }
    return { bytes, forgotten }
  }

  #isSeenBefore(tid: Tid): boolean {
    return (this.#seen[0] ?? Number.POSITIVE_INFINITY) < tid
  }

  /** Whether there is a snapshot at `from`, or later but before `to`. */
  #isSeen(from: Tid, to: Tid): boolean {
    let low = 0
    let high = this.#seen.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#seen[middle] as Tid) < from) low = middle + 1
      else high = middle
    }
    return (this.#seen[low] ?? Number.POSITIVE_INFINITY) < to
  }
}

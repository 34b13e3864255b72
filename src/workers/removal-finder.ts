import type { Conflict } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { ReferenceCheck } from '../core/reference-check.js'
import type { ChangeRing } from '../journal/change-ring.js'
import type { OidIndex } from '../journal/oid-index.js'
import type { TransactionImage } from '../journal/transaction.js'
import type { CommitBatch } from './commit-batch.js'

/** Finds what a transaction refers to and is no longer there. */
export class RemovalFinder {
  readonly #index: OidIndex
  readonly #changes: ChangeRing

  constructor(index: OidIndex, changes: ChangeRing) {
    this.#index = index
    this.#changes = changes
  }

  /**
   * The objects that a transaction refers to and that have been removed after `base`.
   *
   * @param newest transaction whose versions are in the index
   * @param batch what comes before in the same batch, and is not yet in the index
   * @throws PerdureError as {@link ReferenceCheck} does
   */
  find(base: Tid, image: TransactionImage, newest: Tid, batch: CommitBatch): Conflict[] {
    // Made only when it is needed, because most transactions refer to nothing but what is there already.
    let written: Set<Oid> | undefined
    const references = new ReferenceCheck((oid) => {
      if (this.#index.get(oid) !== 0 || batch.find(oid) !== undefined) return true
      written ??= image.oids()
      return written.has(oid)
    })
    image.forEachRecord((oid, offset) => references.add(oid, image.dataAt(offset)))
    const removed = references.removedSince(() => this.#changes.between(base, newest))
    return removed.map((oid) => ({ oid, className: '', tid: this.#removedBy(oid, base, newest) }))
  }

  /** The last transaction after `base` that has changed the object; the newest one if that is no longer known. */
  #removedBy(oid: Oid, base: Tid, newest: Tid): Tid {
    if (this.#changes.between(base, newest) === undefined) return newest
    let after = base
    let upTo = newest
    while (upTo - after > 1) {
      const middle = Math.floor((after + upTo) / 2)
      if (this.#changes.between(middle, upTo)?.includes(oid)) after = middle
      else upTo = middle
    }
    return upTo
  }
}

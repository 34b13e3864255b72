import { PerdureError } from './errors.js'
import type { Oid } from './oid.js'
import { forEachReference } from './record.js'

/**
 * Sees to it that no record that is to be stored refers to an object that does not exist: of such objects an
 * application may still hold one in memory after a pack has removed it.
 */
export class ReferenceCheck {
  readonly #exists: (oid: Oid) => boolean
  /** What refers to each object that does not exist. */
  #missing: Map<Oid, Oid> | undefined
  #referrer: Oid = 0
  readonly #check = (target: Oid) => {
    if (this.#exists(target)) return
    this.#missing ??= new Map()
    if (!this.#missing.has(target)) this.#missing.set(target, this.#referrer)
  }

  /** @param exists whether there is such an object, or the same transaction stores it */
  constructor(exists: (oid: Oid) => boolean) {
    this.#exists = exists
  }

  /**
   * Looks at the references of a record that is to be stored.
   *
   * @throws PerdureError `PERDURE_DECODE` if it is no record
   */
  add(oid: Oid, data: Uint8Array): void {
    this.#referrer = oid
    try {
      forEachReference(data, this.#check)
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      throw new PerdureError(error.code, `Object ${oid} cannot be stored: ${error.message}`, {
        details: { ...error.details, oid },
      })
    }
  }

  /**
   * The objects referred to that have been removed since the transaction's snapshot.
   *
   * @param changedSince gives what has changed since the snapshot; undefined if that is no longer known. Then they all
   *   count as removed since: a transaction at a newer snapshot will find out
   * @throws PerdureError `PERDURE_OBJECT_MISSING` if there is one that was removed before, or was never stored
   */
  removedSince(changedSince: () => Iterable<Oid> | undefined): readonly Oid[] {
    if (this.#missing === undefined) return NONE
    const targets = [...this.#missing.keys()]
    const changes = changedSince()
    if (changes === undefined) return targets
    const changed = new Set(changes)
    const missing = targets.find((target) => !changed.has(target))
    if (missing !== undefined) throw missingTarget(this.#missing.get(missing) as Oid, missing)
    return targets
  }
}

const NONE: readonly Oid[] = []

function missingTarget(referrer: Oid, oid: Oid): PerdureError {
  return new PerdureError(
    'PERDURE_OBJECT_MISSING',
    `Object ${referrer} cannot be stored: it refers to object ${oid}, which does not exist. It was packed away, or never stored.`,
    { details: { oid, referrer } },
  )
}

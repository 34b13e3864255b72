import { PerdureError } from '../core/errors.js'
import { type Oid, ROOT_OID } from '../core/oid.js'
import type { Storage } from '../core/storage.js'

/** Sees to it that a storage has given out the oids that are to be written: it refuses others that are far beyond. */
export class OidReserve {
  readonly #storage: Storage
  /** Oids below this one have been given out. */
  #allocated: Oid = ROOT_OID + 1
  #wanted: Oid = ROOT_OID + 1

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Notes that oids below `nextOid` will be needed. */
  want(nextOid: Oid): void {
    if (nextOid > this.#wanted) this.#wanted = nextOid
  }

  /**
   * Has all of them given out.
   *
   * @throws PerdureError `PERDURE_LIMIT` with `details.oid`, the largest, if there is no room for it
   */
  allocate(): void {
    while (this.#allocated < this.#wanted) {
      const count = this.#wanted - this.#allocated
      try {
        this.#allocated = this.#storage.allocateOids(count) + count
      } catch (cause) {
        if (!(cause instanceof PerdureError) || cause.code !== 'PERDURE_LIMIT') throw cause
        const oid = this.#wanted - 1
        throw new PerdureError(cause.code, `There is no room for object ${oid}. ${cause.message}`, {
          details: { oid },
          cause,
        })
      }
    }
  }
}

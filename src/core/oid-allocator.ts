import type { Oid } from './oid.js'
import type { Storage } from './storage.js'

const FIRST_RANGE = 16
const LARGEST_RANGE = 4096

/** Gives out oids one by one. Ranges are reserved in the storage; they grow while many are needed. */
export class OidAllocator {
  readonly #storage: Storage
  #next: Oid = 0
  #end: Oid = 0
  #range = FIRST_RANGE
  #epoch: number | undefined

  constructor(storage: Storage) {
    this.#storage = storage
  }

  next(): Oid {
    const { oidEpoch } = this.#storage
    if (this.#next === this.#end || oidEpoch !== this.#epoch) {
      this.#epoch = oidEpoch
      this.#next = this.#storage.allocateOids(this.#range)
      this.#end = this.#next + this.#range
      this.#range = Math.min(LARGEST_RANGE, this.#range * 2)
    }
    return this.#next++
  }
}

import type { Tid } from '../core/oid.js'

const CAPACITY = 2 ** 16

/** Where in the journal the last transactions end. An object has changed since `tid` if its offset is not below. */
export class EndRing {
  /** Each tid plus one, so that memory as it comes is an empty ring and opening a storage need not touch it. */
  readonly #tids = new Float64Array(CAPACITY)
  readonly #ends = new Float64Array(CAPACITY)

  set(tid: Tid, end: number): void {
    const slot = tid % CAPACITY
    this.#tids[slot] = tid + 1
    this.#ends[slot] = end
  }

  /** Undefined if the transaction is too long ago. */
  get(tid: Tid): number | undefined {
    const slot = tid % CAPACITY
    return this.#tids[slot] === tid + 1 ? this.#ends[slot] : undefined
  }
}

import type { Oid, Tid } from '../core/oid.js'

const CAPACITY = 2 ** 16
const HEADER_SLOTS = 3
const RESERVED = 0
const WRITTEN = 1
const FIRST_TID = 2

/**
 * The objects changed last, in shared memory: a ring of pairs of oid and tid with one writer and many readers. A
 * reader copies what it wants and then looks whether the writer has come round meanwhile, as with a seqlock.
 */
export class ChangeRing {
  readonly memory: SharedArrayBuffer
  readonly #slots: BigInt64Array

  constructor(memory = new SharedArrayBuffer((HEADER_SLOTS + 2 * CAPACITY) * 8)) {
    this.memory = memory
    this.#slots = new BigInt64Array(memory)
  }

  /** By the writer: the changes up to `tid` are not, or no longer, told. To be called before that tid is published. */
  forget(tid: Tid): void {
    Atomics.store(this.#slots, FIRST_TID, BigInt(tid))
  }

  /** Records that a transaction has removed objects; undefined if they are too many to be told. */
  remove(oids: readonly Oid[] | undefined, tid: Tid): void {
    // The changes of other transactions are not given up for them.
    if (oids === undefined || oids.length > CAPACITY / 2) this.forget(tid)
    else this.append(oids, new Array<Tid>(oids.length).fill(tid))
  }

  /** Records the changes of transactions, oldest first. To be called before their tid is published. */
  append(oids: readonly Oid[], tids: readonly Tid[]): void {
    const slots = this.#slots
    const start = Number(Atomics.load(slots, WRITTEN))
    const end = BigInt(start + oids.length)
    Atomics.store(slots, RESERVED, end)
    for (let i = Math.max(0, oids.length - CAPACITY); i < oids.length; i++) {
      const slot = HEADER_SLOTS + 2 * ((start + i) % CAPACITY)
      Atomics.store(slots, slot, BigInt(oids[i] as Oid))
      Atomics.store(slots, slot + 1, BigInt(tids[i] as Tid))
    }
    Atomics.store(slots, WRITTEN, end)
  }

  /** What the transactions after `after`, up to and including `upTo`, have changed. Undefined if no longer known. */
  between(after: Tid, upTo: Tid): Oid[] | undefined {
    if (after >= upTo) return []
    const slots = this.#slots
    if (after < Number(Atomics.load(slots, FIRST_TID))) return undefined
    const oids: Oid[] = []
    let position = Number(Atomics.load(slots, WRITTEN))
    const oldest = Math.max(0, position - CAPACITY)
    let complete = false
    while (!complete && position > oldest) {
      position--
      const slot = HEADER_SLOTS + 2 * (position % CAPACITY)
      const oid = Number(Atomics.load(slots, slot))
      const tid = Number(Atomics.load(slots, slot + 1))
      if (tid <= after) complete = true
      else if (tid <= upTo) oids.push(oid)
    }
    if (Number(Atomics.load(slots, RESERVED)) - CAPACITY > position) return undefined
    return complete || position === 0 ? oids : undefined
  }
}

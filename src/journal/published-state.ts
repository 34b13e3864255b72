import type { Oid } from '../core/oid.js'

const SLOTS = {
  tid: 0,
  end: 1,
  nextOid: 2,
  objects: 3,
  commits: 4,
  conflicts: 5,
  batches: 6,
  syncs: 7,
  largestBatch: 8,
  checkpoints: 9,
  indexRebuilds: 10,
} as const

/** Numbers that every thread of a storage sees. */
export type PublishedNumber = keyof typeof SLOTS

/**
 * What the thread that writes the journal tells all others, in shared memory. It stores `tid` last: who sees a tid
 * sees everything that belongs to it.
 */
export class PublishedState {
  readonly memory: SharedArrayBuffer
  readonly #slots: BigInt64Array

  constructor(memory = new SharedArrayBuffer(Object.keys(SLOTS).length * 8)) {
    this.memory = memory
    this.#slots = new BigInt64Array(memory)
  }

  get(name: PublishedNumber): number {
    return Number(Atomics.load(this.#slots, SLOTS[name]))
  }

  set(name: PublishedNumber, value: number): void {
    Atomics.store(this.#slots, SLOTS[name], BigInt(value))
  }

  add(name: PublishedNumber, count: number): number {
    return Number(Atomics.add(this.#slots, SLOTS[name], BigInt(count)))
  }

  /** Sees to it that oids below `nextOid` are not given to anybody. */
  raiseNextOid(nextOid: Oid): void {
    const slots = this.#slots
    const wanted = BigInt(nextOid)
    for (let seen = Atomics.load(slots, SLOTS.nextOid); seen < wanted; ) {
      const found = Atomics.compareExchange(slots, SLOTS.nextOid, seen, wanted)
      if (found === seen) return
      seen = found
    }
  }
}

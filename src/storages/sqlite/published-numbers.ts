import type { Oid } from '../../core/oid.js'

const SLOTS = {
  /** Newest transaction. Stored last: who sees a tid sees all of it. */
  tid: 0,
  /** One more than the largest oid given out. */
  nextOid: 1,
  objects: 2,
  /** Of all versions, as they are encoded. */
  bytes: 3,
  commits: 4,
  conflicts: 5,
  batches: 6,
  largestBatch: 7,
  /** See `Meta.historyFrom`. A pack raises it before it removes the first version. */
  historyFrom: 8,
  /** See `Meta.sweptAt`. Snapshots of the newest state cannot be at an older transaction. */
  sweptAt: 9,
  removalsFrom: 10,
} as const

export type PublishedNumber = keyof typeof SLOTS

/** What the thread that writes a database tells all others of its process, in shared memory. */
export class PublishedNumbers {
  readonly memory: SharedArrayBuffer
  readonly #slots: BigInt64Array

  constructor(memory = new SharedArrayBuffer(Object.keys(SLOTS).length * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#slots = new BigInt64Array(memory)
  }

  get(name: PublishedNumber): number {
    return Number(Atomics.load(this.#slots, SLOTS[name]))
  }

  set(name: PublishedNumber, value: number): void {
    Atomics.store(this.#slots, SLOTS[name], BigInt(value))
  }

  /** Returns what it was before. */
  add(name: PublishedNumber, count: number): number {
    return Number(Atomics.add(this.#slots, SLOTS[name], BigInt(count)))
  }

  /** Sees to it that oids below `nextOid` are not given to anybody. */
  raiseNextOid(nextOid: Oid): void {
    const wanted = BigInt(nextOid)
    for (let seen = Atomics.load(this.#slots, SLOTS.nextOid); seen < wanted; ) {
      const found = Atomics.compareExchange(this.#slots, SLOTS.nextOid, seen, wanted)
      if (found === seen) return
      seen = found
    }
  }
}

import type { Oid } from '../core/oid.js'

const SLOTS = {
  // Of one journal: a pack's new journal has its own, so that who reads the old one sees no more of it change.
  tid: 0,
  end: 1,
  objects: 2,
  // Of the storage, whatever its journal: an oid is given out once, whichever journal a thread still looks at.
  nextOid: 3,
  commits: 4,
  conflicts: 5,
  batches: 6,
  syncs: 7,
  largestBatch: 8,
  checkpoints: 9,
  indexRebuilds: 10,
} as const

const JOURNAL_SLOTS = SLOTS.nextOid
const STORAGE_SLOTS = Object.keys(SLOTS).length - JOURNAL_SLOTS

/** Numbers that every thread of a storage sees. */
export type PublishedNumber = keyof typeof SLOTS

/** Where they are. It passes through `postMessage`. */
export interface PublishedMemory {
  readonly journal: SharedArrayBuffer
  readonly storage: SharedArrayBuffer
}

function newMemory(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * BigInt64Array.BYTES_PER_ELEMENT)
}

/**
 * What the thread that writes the journal tells all others, in shared memory. It stores `tid` last: who sees a tid
 * sees everything that belongs to it.
 */
export class PublishedState {
  readonly memory: PublishedMemory
  readonly #journal: BigInt64Array
  readonly #storage: BigInt64Array

  constructor(memory: PublishedMemory = { journal: newMemory(JOURNAL_SLOTS), storage: newMemory(STORAGE_SLOTS) }) {
    this.memory = memory
    this.#journal = new BigInt64Array(memory.journal)
    this.#storage = new BigInt64Array(memory.storage)
  }

  /** For the storage's next journal. */
  next(): PublishedState {
    return new PublishedState({ journal: newMemory(JOURNAL_SLOTS), storage: this.memory.storage })
  }

  get(name: PublishedNumber): number {
    return Number(Atomics.load(this.#slots(name), indexOf(name)))
  }

  set(name: PublishedNumber, value: number): void {
    Atomics.store(this.#slots(name), indexOf(name), BigInt(value))
  }

  add(name: PublishedNumber, count: number): number {
    return Number(Atomics.add(this.#slots(name), indexOf(name), BigInt(count)))
  }

  #slots(name: PublishedNumber): BigInt64Array {
    return SLOTS[name] < JOURNAL_SLOTS ? this.#journal : this.#storage
  }

  /** Sees to it that oids below `nextOid` are not given to anybody. */
  raiseNextOid(nextOid: Oid): void {
    const slots = this.#storage
    const slot = indexOf('nextOid')
    const wanted = BigInt(nextOid)
    for (let seen = Atomics.load(slots, slot); seen < wanted; ) {
      const found = Atomics.compareExchange(slots, slot, seen, wanted)
      if (found === seen) return
      seen = found
    }
  }
}

function indexOf(name: PublishedNumber): number {
  const slot = SLOTS[name]
  return slot < JOURNAL_SLOTS ? slot : slot - JOURNAL_SLOTS
}

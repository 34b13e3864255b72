import { PerdureError } from '../../core/errors.js'
import type { Tid } from '../../core/oid.js'

const SLOT_BYTES = BigInt64Array.BYTES_PER_ELEMENT

/** At how many different transactions one handle can have snapshots. */
const MAX_TIDS = 2 ** 20

const FREE = 0n

/**
 * At which transactions one handle has snapshots, in shared memory, so that a pack leaves alone what they see.
 *
 * A handle enters a tid and then looks whether a published limit has passed it; a pack raises the limit and then looks
 * here. So either the pack sees the tid, or the handle sees that it has come too late.
 */
export class OpenTids {
  readonly memory: SharedArrayBuffer
  /** One more than a tid. It grows with the memory. */
  readonly #slots: BigInt64Array
  /** In which slot a tid stands, and how many snapshots there are at it. Known to the handle's own thread. */
  readonly #entries = new Map<Tid, { readonly slot: number; count: number }>()
  readonly #freeSlots: number[] = []

  constructor(memory = new SharedArrayBuffer(16 * SLOT_BYTES, { maxByteLength: MAX_TIDS * SLOT_BYTES })) {
    this.memory = memory
    this.#slots = new BigInt64Array(memory)
  }

  /** By the handle. @throws PerdureError `PERDURE_LIMIT` */
  enter(tid: Tid): void {
    const entry = this.#entries.get(tid)
    if (entry !== undefined) {
      entry.count++
      return
    }
    const slot = this.#freeSlots.pop() ?? this.#newSlot()
    Atomics.store(this.#slots, slot, BigInt(tid) + 1n)
    this.#entries.set(tid, { slot, count: 1 })
  }

  /** By the handle, once for each {@link enter}. */
  leave(tid: Tid): void {
    const entry = this.#entries.get(tid)
    if (entry === undefined || --entry.count > 0) return
    this.#entries.delete(tid)
    Atomics.store(this.#slots, entry.slot, FREE)
    this.#freeSlots.push(entry.slot)
  }

  #newSlot(): number {
    const slot = this.#entries.size
    if (slot >= MAX_TIDS) {
      throw new PerdureError('PERDURE_LIMIT', `There are open snapshots of ${MAX_TIDS} transactions. Release some.`)
    }
    if (slot >= this.#slots.length) this.memory.grow(2 * this.memory.byteLength)
    return slot
  }

  /** By the writer: all tids. */
  *[Symbol.iterator](): Generator<Tid, void, undefined> {
    const length = this.#slots.length
    for (let slot = 0; slot < length; slot++) {
      const value = Atomics.load(this.#slots, slot)
      if (value !== FREE) yield Number(value - 1n)
    }
  }
}

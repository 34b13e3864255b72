import type { Oid, Tid } from '../core/oid.js'

const FIRST_SLOTS = 256
const MOST_SLOTS = 16_384

/**
 * Which versions a client has been sent lately. It forgets: each oid has one slot, which the next oid of the same slot
 * takes over. Forgetting costs a record that is sent once more.
 */
export class SentMemory {
  /** Oid plus one and tid, in pairs. */
  #slots = new Float64Array(0)
  #mask = 0
  #noted = 0

  has(oid: Oid, tid: Tid): boolean {
    if (this.#noted === 0) return false
    const at = (oid & this.#mask) * 2
    return this.#slots[at] === oid + 1 && this.#slots[at + 1] === tid
  }

  note(oid: Oid, tid: Tid): void {
    if (this.#noted * 2 >= this.#slots.length / 2 && this.#slots.length / 2 < MOST_SLOTS) this.#grow()
    const at = (oid & this.#mask) * 2
    this.#slots[at] = oid + 1
    this.#slots[at + 1] = tid
    this.#noted++
  }

  clear(): void {
    this.#slots = new Float64Array(0)
    this.#mask = 0
    this.#noted = 0
  }

  #grow(): void {
    const before = this.#slots
    const count = Math.max(FIRST_SLOTS, before.length)
    this.#slots = new Float64Array(count * 2)
    this.#mask = count - 1
    this.#noted = 0
    for (let at = 0; at < before.length; at += 2) {
      const key = before[at] as number
      if (key === 0) continue
      const to = ((key - 1) & this.#mask) * 2
      this.#slots[to] = key
      this.#slots[to + 1] = before[at + 1] as number
      this.#noted++
    }
  }
}

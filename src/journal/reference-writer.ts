import { type PackTables, UNREAD } from './pack-tables.js'

/** Slots taken at once, so that threads seldom meet. */
const BLOCK_SLOTS = 16_384

/** Puts lists of references into the memory that all threads of a pack share. */
export class ReferenceWriter {
  readonly #tables: PackTables
  #next = 0
  #end = 0

  constructor(tables: PackTables) {
    this.#tables = tables
  }

  /**
   * Stores those of the first `count` oids that exist.
   *
   * @returns their place, or {@link UNREAD} if the memory is full
   */
  add(oids: Float64Array, count: number): number {
    const { positions, references } = this.#tables
    if (count === 0) return 0
    if (!this.#reserve(count + 1)) return UNREAD
    const place = this.#next
    let at = place + 1
    for (let i = 0; i < count; i++) {
      const oid = oids[i] as number
      if ((positions[oid] ?? 0) > 0) references[at++] = oid
    }
    if (at === place + 1) return 0
    references[place] = at - place - 1
    this.#next = at
    return place
  }

  #reserve(slots: number): boolean {
    if (this.#end - this.#next >= slots) return true
    const size = Math.max(slots, BLOCK_SLOTS)
    // When a whole block is no longer to be had, the list itself may still be.
    const first = this.#tables.takeSlots(size) ?? this.#tables.takeSlots(slots)
    if (first === undefined) return false
    this.#next = first
    this.#end = first + (first + size <= this.#tables.references.length ? size : slots)
    return true
  }
}

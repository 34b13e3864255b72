/** Entries of a segment, a power of two. */
const SEGMENT_BITS = 16
const SEGMENT = 2 ** SEGMENT_BITS
const MASK = SEGMENT - 1

/**
 * A growing list of numbers below 2^32, four bytes each. It grows by segments, so nothing is copied and never more than
 * one segment is in vain.
 */
export class NumberColumn {
  readonly #segments: Uint32Array[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  /** @param index below {@link length} */
  get(index: number): number {
    return (this.#segments[index >>> SEGMENT_BITS] as Uint32Array)[index & MASK] as number
  }

  push(value: number): void {
    this.set(this.#length, value)
  }

  /** Numbers that are skipped are 0. */
  set(index: number, value: number): void {
    if (index >= this.#length) this.#grow(index + 1)
    ;(this.#segments[index >>> SEGMENT_BITS] as Uint32Array)[index & MASK] = value
  }

  #grow(length: number): void {
    while (this.#segments.length * SEGMENT < length) this.#segments.push(new Uint32Array(SEGMENT))
    this.#length = length
  }
}

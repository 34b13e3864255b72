import { PerdureError } from '../../core/errors.js'
import { MAX_ID } from '../../core/oid.js'

/**
 * Takes a payload apart. The bytes are hostile until proven otherwise: every number is checked, every count against
 * what is left.
 *
 * All methods throw PerdureError `PERDURE_PROTOCOL` with `details.offset`, the byte of the payload where it stops
 * making sense.
 */
export class PayloadReader {
  readonly bytes: Buffer
  /** Of the message, for errors. */
  readonly #kind: number
  #position = 0

  constructor(kind: number, bytes: Buffer) {
    this.#kind = kind
    this.bytes = bytes
  }

  get left(): number {
    return this.bytes.length - this.#position
  }

  u8(): number {
    const byte = this.bytes[this.#position]
    if (byte === undefined) throw this.error('it ends too early')
    this.#position++
    return byte
  }

  boolean(): boolean {
    const byte = this.u8()
    if (byte > 1) throw this.error('a yes or no is neither')
    return byte === 1
  }

  f64(): number {
    if (this.left < 8) throw this.error('it ends too early')
    const value = this.bytes.readDoubleLE(this.#position)
    this.#position += 8
    return value
  }

  /** A whole number from 0 to 2^53 - 1. */
  id(): number {
    const { bytes } = this
    const first = bytes[this.#position++]
    if (first === undefined) throw this.error('it ends too early')
    if (first < 128) return first
    let value = first & 127
    for (let scale = 128; ; scale *= 128) {
      const byte = bytes[this.#position++]
      if (byte === undefined) throw this.error('it ends too early')
      value += (byte & 127) * scale
      if (value > MAX_ID) throw this.error('a number is too large')
      if (byte < 128) return value
      if (scale >= 2 ** 49) throw this.error('a number is too long')
    }
  }

  /** Counts things that take at least `size` bytes each. */
  count(size: number, limit = Number.POSITIVE_INFINITY): number {
    const count = this.id()
    if (count * size > this.left) throw this.error('a count is larger than the frame')
    if (count > limit) throw this.error(`a list has more than ${limit} entries`)
    return count
  }

  ids(limit?: number): number[] {
    const count = this.count(1, limit)
    const ids: number[] = []
    for (let i = 0; i < count; i++) ids.push(this.id())
    return ids
  }

  /** A view of the next bytes. */
  view(length: number): Buffer {
    if (length > this.left) throw this.error('it ends too early')
    const start = this.#position
    this.#position += length
    return this.bytes.subarray(start, this.#position)
  }

  /** A view of bytes with their length before them. */
  sized(maxBytes = Number.POSITIVE_INFINITY): Buffer {
    const length = this.id()
    if (length > maxBytes) throw this.error(`something is longer than ${maxBytes} bytes`)
    return this.view(length)
  }

  string(maxBytes = Number.POSITIVE_INFINITY): string {
    return this.sized(maxBytes).toString('utf8')
  }

  /** To be called at the end. */
  finish(): void {
    if (this.left > 0) throw this.error('something follows the end')
  }

  error(what: string): PerdureError {
    const offset = Math.min(this.#position, this.bytes.length)
    const kind = `0x${this.#kind.toString(16).padStart(2, '0')}`
    return new PerdureError(
      'PERDURE_PROTOCOL',
      `A frame of kind ${kind} makes no sense: ${what} (byte ${offset} of ${this.bytes.length}).`,
      { details: { offset } },
    )
  }
}

import { PerdureError } from '../../core/errors.js'

const NEWLINE = 0x0a

/** The bytes of a pickle, read one after the other, never past their end. */
export class PickleBytes {
  protected bytes: Buffer = Buffer.alloc(0)
  /** Of the next byte. */
  position = 0

  /** The next byte, as an unsigned number. */
  byte(): number {
    if (this.position >= this.bytes.length) throw this.endsEarly()
    return this.bytes[this.position++] as number
  }

  uint16(): number {
    return this.bytes.readUInt16LE(this.take(2))
  }

  int32(): number {
    return this.bytes.readInt32LE(this.take(4))
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  /** Eight bytes, the lowest first. What is too large for a number is infinite: it is a length that cannot be. */
  uint64(): number {
    const start = this.take(8)
    const value = this.bytes.readUInt32LE(start) + this.bytes.readUInt32LE(start + 4) * 2 ** 32
    return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.take(8))
  }

  /** The next `length` bytes, without a copy. */
  slice(length: number): Buffer {
    const start = this.take(length)
    return this.bytes.subarray(start, start + length)
  }

  /** What stands before the next line end, without a copy. */
  line(): Buffer {
    const start = this.position
    const end = this.bytes.indexOf(NEWLINE, start)
    if (end < 0) throw this.endsEarly()
    this.position = end + 1
    return this.bytes.subarray(start, end)
  }

  /** Moves on by `length` bytes, and gives the position before. */
  take(length: number): number {
    const start = this.position
    if (length > this.bytes.length - start) throw this.endsEarly()
    this.position = start + length
    return start
  }

  /** @returns an error that says where it was met */
  damage(what: string): PerdureError {
    return pickleDamage(what, this.position)
  }

  protected endsEarly(): PerdureError {
    return this.damage('it ends too early')
  }
}

/** The one error of reading pickles: `what` is wrong, at the byte `offset`. */
export function pickleDamage(what: string, offset: number, cause?: unknown): PerdureError {
  return new PerdureError('PERDURE_DECODE', `Not a pickle: ${what} (byte ${offset}).`, {
    details: { offset },
    ...(cause === undefined ? {} : { cause }),
  })
}

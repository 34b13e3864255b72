import { ByteWriter } from '../../core/byte-writer.js'
import { PerdureError } from '../../core/errors.js'

/*
 * A frame, as both sides send it; numbers are little-endian.
 *
 *   length:u32   how many bytes follow: 5 and the payload
 *   kind:u8      what the payload is, see client-messages.ts and server-messages.ts
 *   request:u32  the id of the request, or of the request that is answered; 0 in a notice
 *   payload
 */

/** The part of the header that `length` does not count. */
export const LENGTH_BYTES = 4

/** The part of the header that `length` counts: kind and request id. */
export const KIND_AND_REQUEST_BYTES = 5

/** Request ids are 1 to this. */
export const MAX_REQUEST_ID = 0xffff_ffff

const HEADER_BYTES = LENGTH_BYTES + KIND_AND_REQUEST_BYTES

/** Frames are laid out one behind the other in pieces of memory of this size; longer ones get a piece of their own. */
const SLAB_BYTES = 65_536

const NOTHING = Buffer.alloc(0)

/**
 * Writes frames, one at a time. Frames that are written one after another mostly lie side by side in memory, so that
 * they can be sent in one piece; what has been handed out is never written to again.
 */
export class FrameWriter extends ByteWriter {
  #start = 0

  constructor() {
    super(SLAB_BYTES)
  }

  /** Bytes of the frame that is being written, its length field included. */
  get frameBytes(): number {
    return this.length - this.#start
  }

  /** @param expectedBytes of the payload, so that a large one is laid out without copying what is already there */
  begin(kind: number, request: number, expectedBytes = 0): void {
    this.#start = this.length
    this.reserve(HEADER_BYTES + expectedBytes)
    const at = this.length
    this.buffer[at + 4] = kind
    this.buffer.writeUInt32LE(request, at + 5)
    this.length = at + HEADER_BYTES
  }

  /** The frame begun last. */
  end(): Buffer {
    const bytes = this.frameBytes
    this.buffer.writeUInt32LE(bytes - LENGTH_BYTES, this.#start)
    const frame = this.buffer.subarray(this.#start, this.length)
    // A short frame that came to lie behind a long one would keep the memory of both.
    if (this.buffer.length > SLAB_BYTES) {
      this.buffer = NOTHING
      this.length = 0
    }
    this.#start = this.length
    return frame
  }

  u8(value: number): void {
    this.reserve(1)
    this.buffer[this.length++] = value
  }

  f64(value: number): void {
    this.reserve(8)
    this.length = this.buffer.writeDoubleLE(value, this.length)
  }

  /**
   * An oid, a tid, a count or a length.
   *
   * @throws PerdureError `PERDURE_ARGUMENT` if it is no whole number from 0 to 2^53 - 1
   */
  id(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new PerdureError('PERDURE_ARGUMENT', `${value} cannot be sent: it is no whole number from 0 to 2^53 - 1.`)
    }
    this.varint(value)
  }

  ids(values: readonly number[]): void {
    this.varint(values.length)
    for (const value of values) this.id(value)
  }

  /** Bytes with their length before them. */
  sized(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.bytes(bytes)
  }

  /** Only the frame under way moves to the larger piece; earlier ones stay where they are. */
  protected override grow(count: number): void {
    const kept = this.frameBytes
    const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, kept * 2, kept + count))
    this.buffer.copy(larger, 0, this.#start, this.length)
    this.buffer = larger
    this.#start = 0
    this.length = kept
  }
}

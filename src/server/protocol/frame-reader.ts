import { PerdureError } from '../../core/errors.js'
import { KIND_AND_REQUEST_BYTES, LENGTH_BYTES } from './frame-writer.js'

/** One frame as it came. The payload may be a view of the chunk it came in. */
export interface Frame {
  readonly kind: number
  /** 0 in a notice. */
  readonly request: number
  readonly payload: Buffer
}

/** Up to this length a frame that comes in pieces gets all its memory at once; beyond, only as its bytes arrive. */
const TRUSTED_BYTES = 524_288

const NOTHING = Buffer.alloc(0)

/**
 * Cuts what arrives into frames, however it was split on its way. Memory grows with the bytes that have arrived, not
 * with the length a peer announces, and each byte is copied a bounded number of times: not at all if its frame arrived
 * in one chunk.
 */
export class FrameReader {
  /** Longest frame that is taken, in bytes, its length field not included. */
  limitBytes: number
  /** What has arrived and belongs to no frame yet, unless a frame is being collected. */
  #chunk: Buffer = NOTHING
  #position = 0
  /** The frame that came in pieces, with its length field; undefined if there is none. */
  #partial: Buffer | undefined
  #collected = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** Bytes that are held because their frame is not complete, or has not been taken. */
  get pendingBytes(): number {
    return this.#collected + this.#chunk.length - this.#position
  }

  /** Takes what has arrived. Take all frames with {@link next} before the next call. */
  push(chunk: Buffer): void {
    if (this.#position < this.#chunk.length) {
      this.#chunk = Buffer.concat([this.#chunk.subarray(this.#position), chunk])
    } else {
      this.#chunk = chunk
    }
    this.#position = 0
  }

  /**
   * The next frame, or undefined until more has arrived.
   *
   * @throws PerdureError `PERDURE_PROTOCOL` if a frame is too long or too short; there is no way on after that
   */
  next(): Frame | undefined {
    if (this.#partial !== undefined) return this.#nextOfPieces(this.#partial)
    const left = this.#chunk.length - this.#position
    if (left >= LENGTH_BYTES) {
      const length = this.#checkLength(this.#chunk.readUInt32LE(this.#position))
      if (left >= LENGTH_BYTES + length) {
        const start = this.#position
        this.#position += LENGTH_BYTES + length
        return frameOf(this.#chunk.subarray(start, this.#position))
      }
    }
    if (left > 0) return this.#nextOfPieces(Buffer.allocUnsafeSlow(LENGTH_BYTES))
    this.#chunk = NOTHING
    this.#position = 0
    return undefined
  }

  #nextOfPieces(buffer: Buffer): Frame | undefined {
    let partial = this.#fill(buffer, LENGTH_BYTES)
    if (this.#collected < LENGTH_BYTES) return undefined
    const whole = LENGTH_BYTES + this.#checkLength(partial.readUInt32LE(0))
    partial = this.#fill(partial, whole)
    if (this.#collected < whole) return undefined
    this.#partial = undefined
    this.#collected = 0
    return frameOf(partial)
  }

  /** Moves bytes from the chunk until `want` are collected, or there are no more. */
  #fill(buffer: Buffer, want: number): Buffer {
    const count = Math.min(want - this.#collected, this.#chunk.length - this.#position)
    const target = count > 0 ? withRoom(buffer, this.#collected, count, want) : buffer
    this.#partial = target
    if (count <= 0) return target
    this.#chunk.copy(target, this.#collected, this.#position, this.#position + count)
    this.#collected += count
    this.#position += count
    if (this.#position === this.#chunk.length) {
      this.#chunk = NOTHING
      this.#position = 0
    }
    return target
  }

  #checkLength(length: number): number {
    if (length > this.limitBytes) {
      throw new PerdureError(
        'PERDURE_PROTOCOL',
        `A frame of ${length} bytes came, and at most ${this.limitBytes} were agreed on.`,
        { details: { offset: 0, bytes: length, limit: this.limitBytes } },
      )
    }
    if (length < KIND_AND_REQUEST_BYTES) {
      throw new PerdureError('PERDURE_PROTOCOL', `A frame of ${length} bytes came, which is too short to be one.`, {
        details: { offset: 0, bytes: length },
      })
    }
    return length
  }
}

/** A buffer that has room for `count` bytes behind the first `used`; never longer than `whole`, which is enough. */
function withRoom(buffer: Buffer, used: number, count: number, whole: number): Buffer {
  if (used + count <= buffer.length) return buffer
  const size = whole <= TRUSTED_BYTES ? whole : Math.min(whole, Math.max(TRUSTED_BYTES, (used + count) * 2))
  const larger = Buffer.allocUnsafeSlow(size)
  buffer.copy(larger, 0, 0, used)
  return larger
}

function frameOf(bytes: Buffer): Frame {
  return {
    kind: bytes[LENGTH_BYTES] as number,
    request: bytes.readUInt32LE(LENGTH_BYTES + 1),
    payload: bytes.subarray(LENGTH_BYTES + KIND_AND_REQUEST_BYTES),
  }
}

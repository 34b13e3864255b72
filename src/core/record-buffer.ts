import { ByteWriter } from './byte-writer.js'

const CHUNK_BYTES = 256 * 1024

/**
 * Where the records of one commit are written, one after another. A finished record is never moved: when a chunk
 * is full, only the record under way goes on in the next one.
 */
export class RecordBuffer extends ByteWriter {
  #start = 0

  constructor() {
    super(0)
  }

  /** Ends the record under way and returns its bytes. */
  finish(): Uint8Array {
    const record = this.buffer.subarray(this.#start, this.length)
    this.#start = this.length
    return record
  }

  /** Drops the record under way. */
  discard(): void {
    this.length = this.#start
  }

  protected override grow(count: number): void {
    const pending = this.buffer.subarray(this.#start, this.length)
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (pending.length + count) * 2))
    chunk.set(pending)
    this.buffer = chunk
    this.#start = 0
    this.length = pending.length
  }
}

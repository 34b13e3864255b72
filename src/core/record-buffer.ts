import { ByteWriter } from './byte-writer.js'

const FIRST_CHUNK_BYTES = 8 * 1024
const LARGEST_CHUNK_BYTES = 512 * 1024

/**
 * Where the records of one commit are written, one after another. A finished record is never moved: when a chunk
 * is full, only the record under way goes on in the next one. The last chunk is used again for the next commit.
 */
export class RecordBuffer extends ByteWriter {
  #start = 0
  #chunkBytes = FIRST_CHUNK_BYTES

  constructor() {
    super(0)
  }

  /** Begins a new commit. The records of the one before must have been copied, and are overwritten. */
  reset(): void {
    this.#start = 0
    this.length = 0
    if (this.buffer.length > LARGEST_CHUNK_BYTES) this.buffer = Buffer.alloc(0)
  }

  /** Ends the record under way and returns its bytes. */
  finish(): Uint8Array {
    const record = this.buffer.subarray(this.#start, this.length)
    this.#start = this.length
    return record
  }

  protected override grow(count: number): void {
    const pending = this.buffer.subarray(this.#start, this.length)
    this.#chunkBytes = Math.min(LARGEST_CHUNK_BYTES, this.#chunkBytes * 2)
    const chunk = Buffer.allocUnsafeSlow(Math.max(this.#chunkBytes, (pending.length + count) * 2))
    chunk.set(pending)
    this.buffer = chunk
    this.#start = 0
    this.length = pending.length
  }
}

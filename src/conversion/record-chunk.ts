import type { Oid } from '../core/oid.js'

/** A chunk is full when it has so many objects, or so many bytes. */
const CHUNK_OBJECTS = 4096
const CHUNK_BYTES = 1024 * 1024

/**
 * Some records, as they go from thread to thread: that of the object `oids[i]` stands in `data` from `ends[i - 1]` (or
 * 0) to `ends[i]`.
 */
export interface RecordChunk {
  readonly oids: Float64Array<ArrayBuffer>
  readonly ends: Uint32Array<ArrayBuffer>
  readonly data: Uint8Array<ArrayBuffer>
}

/** What to hand over with a chunk. */
export function chunkBuffers({ oids, ends, data }: RecordChunk): ArrayBuffer[] {
  return [oids.buffer, ends.buffer, data.buffer]
}

/** The record of object `i`: a view. */
export function recordAt({ ends, data }: RecordChunk, i: number): Uint8Array {
  return data.subarray(i === 0 ? 0 : ends[i - 1], ends[i])
}

/** Gathers records into chunks. */
export class ChunkBuilder {
  readonly #oids: Oid[] = []
  readonly #ends: number[] = []
  #data: Uint8Array<ArrayBuffer>
  #bytes = 0

  /** @param expectedBytes size of the records, more or less */
  constructor(expectedBytes = CHUNK_BYTES) {
    this.#data = new Uint8Array(expectedBytes)
  }

  get isEmpty(): boolean {
    return this.#oids.length === 0
  }

  /** Whether there is room for a record of so many bytes. One that is larger than a chunk fits into an empty one. */
  hasRoom(bytes: number): boolean {
    const objects = this.#oids.length
    return objects < CHUNK_OBJECTS && (this.#bytes + bytes <= CHUNK_BYTES || objects === 0)
  }

  /** @param parts of the record, one after the other; they are copied */
  add(oid: Oid, ...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.#append(part)
    this.#oids.push(oid)
    this.#ends.push(this.#bytes)
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#data.set(bytes, this.#bytes)
    this.#bytes += bytes.length
  }

  #reserve(bytes: number): void {
    const end = this.#bytes + bytes
    if (end <= this.#data.length) return
    const larger = new Uint8Array(Math.max(end, 2 * this.#data.length))
    larger.set(this.#data.subarray(0, this.#bytes))
    this.#data = larger
  }

  /** What has been gathered. The builder is not to be used afterwards. */
  take(): RecordChunk {
    return {
      oids: Float64Array.from(this.#oids),
      ends: Uint32Array.from(this.#ends),
      data: this.#data.subarray(0, this.#bytes),
    }
  }
}

/** Hands the records of a chunk on, one after the other. */
export async function addChunk(
  chunk: RecordChunk,
  add: (oid: Oid, data: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  const { oids } = chunk
  for (let i = 0; i < oids.length; i++) {
    const wait = add(oids[i] as Oid, recordAt(chunk, i))
    if (wait !== undefined) await wait
  }
}

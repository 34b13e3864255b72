import type { Oid } from '../core/oid.js'
import type { Snapshot } from '../core/storage.js'
import { serializerModules } from '../serializers/registry.js'
import { FileSnapshot } from '../storages/file-snapshot.js'
import { WorkerPool } from '../workers/pool.js'
import type { ReadTask } from '../workers/scan-task.js'
import { ChunkBuilder, chunkBuffers, type RecordChunk } from './record-chunk.js'
import type { ChunkTask, StretchTask } from './transcode-tasks.js'
import type { TranscodeOptions, TranscodeResult } from './transcoder.js'

/** So few are read faster in place than threads are started. */
const FEW_OBJECTS = 4096

/** Chunks begun ahead of the one that is awaited, besides one for each thread. */
const CHUNKS_AHEAD = 2

/** What is to be done with every record. */
export interface PipelineOptions extends Pick<TranscodeOptions, 'from' | 'to' | 'hashed'> {
  /** Gets the results, in the order in which the records were added; the next one when it has resolved. */
  readonly onChunk: (result: TranscodeResult) => void | Promise<void>
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends records, in chunks, through threads that decode, encode and hash them. Some chunks are under way at a time,
 * however many there are in all. What fits into one chunk is not worth a thread, and is done in place.
 */
export class RecordPipeline {
  readonly #options: PipelineOptions
  readonly #pool: WorkerPool
  readonly #running: Promise<TranscodeResult>[] = []
  #chunk = new ChunkBuilder()

  constructor(pool: WorkerPool, options: PipelineOptions) {
    this.#pool = pool
    this.#options = options
  }

  /**
   * Adds a record, which is copied. The next one may be added when what is returned has resolved; undefined means at
   * once.
   *
   * @throws what the tasks and `onChunk` throw for records that were added before; the reason of the signal
   */
  add(oid: Oid, data: Uint8Array): Promise<void> | undefined {
    if (this.#chunk.hasRoom(data.length)) {
      this.#chunk.add(oid, data)
      return undefined
    }
    const full = this.#chunk.take()
    this.#chunk = new ChunkBuilder()
    this.#chunk.add(oid, data)
    return this.#begin(full)
  }

  async #begin(chunk: RecordChunk): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const result = this.#pool.run<ChunkTask, TranscodeResult>('transcodeChunk', this.#task(chunk), chunkBuffers(chunk))
    // Whoever awaits it gets the error; after a failure nobody does.
    result.catch(() => {})
    this.#running.push(result)
    if (this.#running.length >= this.#pool.size + CHUNKS_AHEAD) await this.#finishFirst()
  }

  #task(chunk: RecordChunk): ChunkTask {
    return { chunk, ...this.#work() }
  }

  #work(): TranscodeOptions {
    const { from, to, hashed } = this.#options
    return { from, to, hashed, modules: serializerModules() }
  }

  /**
   * Sends every record of a snapshot through; then there is nothing to be added. The order is whatever is fast.
   *
   * @param objects how many there are, more or less
   * @throws as {@link add}, and what reading the snapshot throws
   */
  async run(snapshot: Snapshot, objects: number): Promise<void> {
    if (snapshot instanceof FileSnapshot && objects > FEW_OBJECTS) return this.#readInThreads(snapshot)
    for await (const { oid, data } of snapshot.records()) {
      const wait = this.add(oid, data)
      if (wait !== undefined) await wait
    }
    await this.end()
  }

  async #readInThreads(snapshot: FileSnapshot): Promise<void> {
    const { onChunk, signal } = this.#options
    const pool = this.#pool
    const read = (stretch: ReadTask) =>
      pool.run<StretchTask, TranscodeResult>('transcodeStretch', { stretch, ...this.#work() })
    signal?.throwIfAborted()
    for await (const result of snapshot.stretches(pool, read)) {
      await onChunk(result)
      signal?.throwIfAborted()
    }
  }

  async #finishFirst(): Promise<void> {
    await this.#options.onChunk(await (this.#running.shift() as Promise<TranscodeResult>))
    this.#options.signal?.throwIfAborted()
  }

  /** Resolves when all records have gone through. */
  async end(): Promise<void> {
    const last = this.#chunk
    if (!last.isEmpty && this.#running.length === 0) await this.#doHere(last.take())
    else if (!last.isEmpty) await this.#begin(last.take())
    while (this.#running.length > 0) await this.#finishFirst()
  }

  async #doHere(chunk: RecordChunk): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const { transcodeChunk } = await import('./transcode-tasks.js')
    await this.#options.onChunk(await transcodeChunk(this.#task(chunk)))
  }
}

/** The threads for the tasks of a {@link RecordPipeline}. */
export function conversionPool(): WorkerPool {
  return new WorkerPool(new URL('./conversion-tasks.js', import.meta.url))
}

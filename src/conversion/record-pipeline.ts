import type { Oid } from '../core/oid.js'
import { serializerModules } from '../serializers/registry.js'
import { WorkerPool } from '../workers/pool.js'
import { ChunkBuilder, chunkBuffers, type RecordChunk } from './record-chunk.js'
import type { TranscodeResult, TranscodeTask } from './transcode.js'

/** Chunks begun ahead of the one that is awaited, besides one for each thread. */
const CHUNKS_AHEAD = 2

/** What is to be done with every record. */
export interface PipelineOptions extends Pick<TranscodeTask, 'from' | 'to' | 'hashed'> {
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
    const result = this.#pool.run<TranscodeTask, TranscodeResult>('transcode', this.#task(chunk), chunkBuffers(chunk))
    // Whoever awaits it gets the error; after a failure nobody does.
    result.catch(() => {})
    this.#running.push(result)
    if (this.#running.length >= this.#pool.size + CHUNKS_AHEAD) await this.#finishFirst()
  }

  #task(chunk: RecordChunk): TranscodeTask {
    const { from, to, hashed } = this.#options
    return { chunk, from, to, hashed, modules: serializerModules() }
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
    const { transcode } = await import('./transcode.js')
    await this.#options.onChunk(await transcode(this.#task(chunk)))
  }
}

/** The threads for the tasks of a {@link RecordPipeline}. */
export function conversionPool(): WorkerPool {
  return new WorkerPool(new URL('./conversion-tasks.js', import.meta.url))
}

import { ChunkBuilder, chunkBuffers } from '../../conversion/record-chunk.js'
import type { Oid } from '../../core/oid.js'
import { serializerModules } from '../../serializers/registry.js'
import { WorkerPool } from '../../workers/pool.js'
import type { DurusObject } from '../source.js'
import type { MappedClass } from './class-map.js'
import type { MapResult, MapTask } from './map-chunk.js'

/** Chunks begun ahead of the one that is awaited, besides one for each thread. */
const CHUNKS_AHEAD = 2

export interface MapPipelineOptions {
  readonly classes: readonly (MappedClass | undefined)[]
  /** The class of an object by its position in `classes`; undefined if there is no such object. */
  readonly typeOf: (oid: Oid) => number | undefined
  /** Name of the new database's serializer. */
  readonly serializer: string
  /** Gets the results, one after the other. */
  readonly onResult: (result: MapResult) => Promise<void>
}

/** Has objects mapped by threads, in chunks, some of which are under way at a time, however many there are in all. */
export class MapPipeline implements AsyncDisposable {
  readonly #options: MapPipelineOptions
  readonly #pool = new WorkerPool(new URL('./map-tasks.js', import.meta.url))
  readonly #running: Promise<MapResult>[] = []
  #chunk = new ChunkBuilder()
  #types: number[] = []
  #targets: Oid[] = []
  #targetTypes: number[] = []

  constructor(options: MapPipelineOptions) {
    this.#options = options
  }

  /**
   * Adds an object that is no BTree. The next one may be added when what is returned has resolved; undefined means at
   * once.
   *
   * @throws what the tasks and `onResult` throw for objects that were added before
   */
  add(object: DurusObject): Promise<void> | undefined {
    if (this.#chunk.hasRoom(object.data.length)) {
      this.#push(object)
      return undefined
    }
    return this.#begin().then(() => this.#push(object))
  }

  #push({ oid, data, references }: DurusObject): void {
    const { typeOf } = this.#options
    this.#chunk.add(oid, data)
    this.#types.push(typeOf(oid) as number)
    for (const target of references) {
      const type = typeOf(target)
      if (type === undefined) continue
      this.#targets.push(target)
      this.#targetTypes.push(type)
    }
  }

  async #begin(): Promise<void> {
    const task = this.#takeTask()
    const buffers = [...chunkBuffers(task.chunk), task.types.buffer, task.targets.buffer, task.targetTypes.buffer]
    const result = this.#pool.run<MapTask, MapResult>('mapObjects', task, buffers)
    // Whoever awaits it gets the error; after a failure nobody does.
    result.catch(() => {})
    this.#running.push(result)
    if (this.#running.length >= this.#pool.size + CHUNKS_AHEAD) await this.#finishFirst()
  }

  #takeTask(): MapTask {
    const { classes, serializer } = this.#options
    const task = {
      chunk: this.#chunk.take(),
      types: Uint32Array.from(this.#types),
      targets: Float64Array.from(this.#targets),
      targetTypes: Uint32Array.from(this.#targetTypes),
      classes,
      serializer,
      modules: serializerModules(),
    }
    this.#chunk = new ChunkBuilder()
    this.#types = []
    this.#targets = []
    this.#targetTypes = []
    return task
  }

  async #finishFirst(): Promise<void> {
    await this.#options.onResult(await (this.#running.shift() as Promise<MapResult>))
  }

  /** Resolves when all objects have been mapped. */
  async end(): Promise<void> {
    if (!this.#chunk.isEmpty) await this.#begin()
    while (this.#running.length > 0) await this.#finishFirst()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close()
  }
}

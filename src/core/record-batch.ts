import { PerdureError } from './errors.js'
import type { Oid, Tid } from './oid.js'
import { ReferenceList } from './record.js'
import type { RecordBatch, StoredRecord } from './storage.js'

/** How many objects one batch holds, unless their references are very many. */
const BATCH_OBJECTS = 4096
const BATCH_REFERENCES = 65_536

const FLOAT_BYTES = Float64Array.BYTES_PER_ELEMENT
const INTEGER_BYTES = Uint32Array.BYTES_PER_ELEMENT

/** A batch whose arrays lie in one buffer, so that another thread can be given it as a whole. */
export interface TransferableBatch extends RecordBatch {
  readonly oids: Float64Array<ArrayBuffer>
}

/** Collects objects, without their states, into parallel arrays. They grow as needed and are used again. */
export class RecordBatchBuilder {
  #oids = new Float64Array(BATCH_OBJECTS)
  #tids = new Float64Array(BATCH_OBJECTS)
  #bytes = new Uint32Array(BATCH_OBJECTS)
  #classes = new Uint32Array(BATCH_OBJECTS)
  #referenceEnds = new Uint32Array(BATCH_OBJECTS)
  #references = new Float64Array(BATCH_OBJECTS)
  #objects = 0
  #referenceCount = 0
  readonly #list = new ReferenceList()
  readonly #classIndexes = new Map<string, number>()

  get isEmpty(): boolean {
    return this.#objects === 0
  }

  get isFull(): boolean {
    return this.#objects >= BATCH_OBJECTS || this.#referenceCount >= BATCH_REFERENCES
  }

  /** @throws PerdureError `PERDURE_DECODE` with `details.oid` */
  add({ oid, tid, data }: StoredRecord): void {
    this.addFrom(oid, tid, data, 0, data.length)
  }

  /**
   * Adds the object whose encoded record lies in `data` from `start` to `end`.
   *
   * @throws PerdureError `PERDURE_DECODE` with `details.oid`; the object is left out then
   */
  addFrom(oid: Oid, tid: Tid, data: Uint8Array, start: number, end: number): void {
    const className = this.#readHead(oid, data, start, end)
    const at = this.#objects
    if (at === this.#oids.length) this.#growObjects()
    this.#oids[at] = oid
    this.#tids[at] = tid
    this.#bytes[at] = end - start
    this.#classes[at] = this.#classIndex(className)
    this.#addReferences()
    this.#referenceEnds[at] = this.#referenceCount
    this.#objects = at + 1
  }

  #readHead(oid: Oid, data: Uint8Array, start: number, end: number): string {
    try {
      return this.#list.readHead(data, start, end)
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      throw new PerdureError(error.code, `The record of object ${oid} makes no sense. ${error.message}`, {
        details: { ...error.details, oid },
      })
    }
  }

  #addReferences(): void {
    const { oids, count } = this.#list
    const from = this.#referenceCount
    if (from + count > this.#references.length) {
      this.#references = grown(this.#references, Math.max(from + count, 2 * this.#references.length))
    }
    const references = this.#references
    for (let i = 0; i < count; i++) references[from + i] = oids[i] as Oid
    this.#referenceCount = from + count
  }

  #growObjects(): void {
    const size = 2 * this.#oids.length
    this.#oids = grown(this.#oids, size)
    this.#tids = grown(this.#tids, size)
    this.#bytes = grown(this.#bytes, size)
    this.#classes = grown(this.#classes, size)
    this.#referenceEnds = grown(this.#referenceEnds, size)
  }

  #classIndex(name: string): number {
    const known = this.#classIndexes.get(name)
    if (known !== undefined) return known
    const index = this.#classIndexes.size
    this.#classIndexes.set(name, index)
    return index
  }

  /** What has been collected; the builder is empty afterwards. */
  take(): TransferableBatch {
    const objects = this.#objects
    const references = this.#referenceCount
    const buffer = new ArrayBuffer((2 * objects + references) * FLOAT_BYTES + 3 * objects * INTEGER_BYTES)
    let at = 0
    const floats = (from: Float64Array, count: number) => {
      const copy = new Float64Array(buffer, at, count)
      copy.set(from.subarray(0, count))
      at += copy.byteLength
      return copy
    }
    const integers = (from: Uint32Array) => {
      const copy = new Uint32Array(buffer, at, objects)
      copy.set(from.subarray(0, objects))
      at += copy.byteLength
      return copy
    }
    const batch = {
      oids: floats(this.#oids, objects),
      tids: floats(this.#tids, objects),
      references: floats(this.#references, references),
      bytes: integers(this.#bytes),
      classes: integers(this.#classes),
      referenceEnds: integers(this.#referenceEnds),
      classNames: [...this.#classIndexes.keys()],
    }
    this.#objects = 0
    this.#referenceCount = 0
    this.#classIndexes.clear()
    return batch
  }
}

function grown<T extends Float64Array | Uint32Array>(array: T, length: number): T {
  const larger = (array instanceof Float64Array ? new Float64Array(length) : new Uint32Array(length)) as T
  larger.set(array)
  return larger
}

/** `Snapshot.scan` for storages that have nothing better than reading one record after another. */
export async function* scanRecords(records: AsyncIterable<StoredRecord>): AsyncGenerator<RecordBatch> {
  const builder = new RecordBatchBuilder()
  for await (const record of records) {
    builder.add(record)
    if (builder.isFull) yield builder.take()
  }
  if (!builder.isEmpty) yield builder.take()
}

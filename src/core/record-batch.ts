import type { Oid } from './oid.js'
import { recordClassName, recordReferences } from './record.js'
import type { RecordBatch, StoredRecord } from './storage.js'

/** How many objects one batch holds, unless their references are very many. */
const BATCH_OBJECTS = 4096
const BATCH_REFERENCES = 65_536

/** Collects objects, without their states, into parallel arrays. */
export class RecordBatchBuilder {
  #oids: Oid[] = []
  #tids: number[] = []
  #bytes: number[] = []
  #classes: number[] = []
  #referenceEnds: number[] = []
  #references: Oid[] = []
  #classIndexes = new Map<string, number>()

  get isEmpty(): boolean {
    return this.#oids.length === 0
  }

  get isFull(): boolean {
    return this.#oids.length >= BATCH_OBJECTS || this.#references.length >= BATCH_REFERENCES
  }

  /** @throws PerdureError `PERDURE_DECODE` */
  add({ oid, tid, data }: StoredRecord): void {
    const references = recordReferences(data)
    this.#classes.push(this.#classIndex(recordClassName(data)))
    this.#oids.push(oid)
    this.#tids.push(tid)
    this.#bytes.push(data.length)
    for (const reference of references) this.#references.push(reference)
    this.#referenceEnds.push(this.#references.length)
  }

  #classIndex(name: string): number {
    const known = this.#classIndexes.get(name)
    if (known !== undefined) return known
    const index = this.#classIndexes.size
    this.#classIndexes.set(name, index)
    return index
  }

  /** What has been collected; the builder is empty afterwards. */
  take(): RecordBatch {
    const batch = {
      oids: Float64Array.from(this.#oids),
      tids: Float64Array.from(this.#tids),
      bytes: Uint32Array.from(this.#bytes),
      classes: Uint32Array.from(this.#classes),
      classNames: [...this.#classIndexes.keys()],
      referenceEnds: Uint32Array.from(this.#referenceEnds),
      references: Float64Array.from(this.#references),
    }
    this.#oids = []
    this.#tids = []
    this.#bytes = []
    this.#classes = []
    this.#referenceEnds = []
    this.#references = []
    this.#classIndexes = new Map()
    return batch
  }
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

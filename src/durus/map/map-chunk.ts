import { ChunkBuilder, type RecordChunk, recordAt } from '../../conversion/record-chunk.js'
import type { Oid } from '../../core/oid.js'
import { importSerializer, type SerializerSource } from '../../workers/import-serializer.js'
import type { MappedClass } from './class-map.js'
import { ChangeList, type ChangeSummary } from './import-report.js'
import { ObjectMapper } from './object-mapper.js'
import { RecordEncoder } from './record-encoder.js'

/** Objects to be mapped by a thread. There are no functions of the user's for them, which could not come along. */
export interface MapTask extends SerializerSource {
  /** Their data, as Durus has them. */
  readonly chunk: RecordChunk
  /** Of each its class, by its position in `classes`. */
  readonly types: Uint32Array<ArrayBuffer>
  /** What they refer to and is there, in any order, and of what classes that is. */
  readonly targets: Float64Array<ArrayBuffer>
  readonly targetTypes: Uint32Array<ArrayBuffer>
  /** Those of garbage are not there. */
  readonly classes: readonly (MappedClass | undefined)[]
}

export interface MapResult {
  /** The records, in the same order. */
  readonly chunk: RecordChunk
  readonly changes: readonly ChangeSummary[]
}

/** Maps objects and makes records of them. @throws as `ObjectMapper.map`, and PerdureError `PERDURE_SERIALIZER` */
export async function mapChunk(task: MapTask): Promise<MapResult> {
  const { chunk, types, targets, targetTypes, classes } = task
  const encoder = new RecordEncoder(await importSerializer(task))
  const changes = new ChangeList()
  const typeOf = new Map<Oid, number>()
  for (const [i, oid] of targets.entries()) typeOf.set(oid, targetTypes[i] as number)
  for (const [i, oid] of chunk.oids.entries()) typeOf.set(oid, types[i] as number)
  const classOf = (oid: Oid) => classes[typeOf.get(oid) ?? -1]?.className
  const mapper = new ObjectMapper({ classOf, converters: new Map(), changes })
  const records = new ChunkBuilder(chunk.data.length)
  for (const [i, oid] of chunk.oids.entries()) {
    const object = { oid, data: recordAt(chunk, i), references: [], offset: 0 }
    records.add(oid, encoder.encode(mapper.map(object, classes[types[i] as number] as MappedClass)))
  }
  return { chunk: records.take(), changes: changes.summaries() }
}

import type { DurusMapping } from '../../src/durus/map/class-map.js'
import type { ChangeKind } from '../../src/durus/map/import-report.js'
import { DurusMapper } from '../../src/durus/map/map-source.js'
import type { MappedObject } from '../../src/durus/map/object-mapper.js'
import type { DurusGraph } from './durus-graph.js'

/** Every object of a source, mapped in this thread. */
export function* allMapped(mapper: DurusMapper): Generator<MappedObject> {
  for (const pending of mapper.pending()) yield* mapper.map(pending)
}

export interface Mapped {
  readonly objects: Map<number, MappedObject>
  readonly mapper: DurusMapper
  readonly changes: Partial<Record<ChangeKind, number>>
}

/** Maps a whole graph. */
export async function mapAll(graph: DurusGraph, mapping: DurusMapping = {}): Promise<Mapped> {
  const mapper = await DurusMapper.prepare(graph.source(), mapping, {})
  const objects = new Map(Array.from(allMapped(mapper), (object) => [object.oid, object]))
  const changes = Object.fromEntries(mapper.changes().map(({ kind, count }) => [kind, count]))
  return { objects, mapper, changes }
}

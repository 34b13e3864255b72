import type { DurusMapper } from '../../src/durus/map/map-source.js'
import type { MappedObject } from '../../src/durus/map/object-mapper.js'

/** Every object of a source, mapped in this thread. */
export function* allMapped(mapper: DurusMapper): Generator<MappedObject> {
  for (const pending of mapper.pending()) yield* mapper.map(pending)
}

import { BulkWriter } from '../../src/conversion/bulk-writer.js'
import { encodeRecord } from '../../src/core/record.js'
import type { Reference } from '../../src/core/reference.js'
import type { Serializer, State } from '../../src/core/serializer.js'
import type { Storage } from '../../src/core/storage.js'
import { loadSerializer } from '../../src/serializers/registry.js'
import type { Random } from '../../src/testing/random.js'
import { REFERENCES, randomState } from '../../src/testing/serializer-values.js'

/** Encodes as a database does: the order of a record's references is that in which the serializer meets them. */
export function encodeObject(serializer: Serializer, className: string, state: State): Uint8Array {
  const references: Reference[] = []
  const position = (reference: Reference) => {
    const known = references.indexOf(reference)
    return known < 0 ? references.push(reference) - 1 : known
  }
  const bytes = Uint8Array.from(serializer.encode(state, { position }))
  return encodeRecord(className, references, bytes)
}

/** The first oid that none of the objects has to which the states of perdure/testing refer. */
export const FIRST_FREE = Math.max(...REFERENCES.map(({ oid }) => oid)) + 1

/** Fills an empty storage with objects of these states, from {@link FIRST_FREE} on, and with all that they refer to. */
export async function fillWithStates(storage: Storage, states: readonly State[], partBytes?: number): Promise<void> {
  const serializer = await loadSerializer(storage.serializer)
  const writer = new BulkWriter(storage, partBytes === undefined ? {} : { partBytes })
  for (const [i, state] of states.entries()) {
    await writer.add(FIRST_FREE + i, encodeObject(serializer, 'Holder', state))
  }
  for (const { oid, className } of REFERENCES) await writer.add(oid, encodeObject(serializer, className, { oid }))
  await writer.flush()
}

export function randomStates(random: Random, count: number, size = 40): State[] {
  return Array.from({ length: count }, () => randomState(random, 1 + random.below(size)))
}

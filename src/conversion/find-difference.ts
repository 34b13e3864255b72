import type { Oid } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import { decodeRecord } from '../core/record.js'
import type { Snapshot } from '../core/storage.js'
import { loadSerializer } from '../serializers/registry.js'
import { CanonicalObject } from './canonical-object.js'

/** A state of a database, and the serializer of its objects. */
export interface Content {
  readonly snapshot: Snapshot
  readonly serializer: string
}

/** The first object that is not the same in a copy; undefined if only the copy has objects that are not in the original. */
export async function findDifference(original: Content, copy: Content): Promise<Oid | undefined> {
  const formOf = await canonicalForm(original.serializer)
  const formOfCopy = await canonicalForm(copy.serializer)
  for await (const { oid, data } of original.snapshot.records()) {
    const copied = copy.snapshot.load(oid)
    if (copied === undefined || Buffer.compare(formOf(oid, data), formOfCopy(oid, copied.data)) !== 0) return oid
  }
  return undefined
}

async function canonicalForm(name: string): Promise<(oid: Oid, data: Uint8Array) => Uint8Array> {
  const canonical = new CanonicalObject()
  const serializer = name === PICKLE ? undefined : await loadSerializer(name)
  return (oid, data) => {
    const record = decodeRecord(data)
    const { className, references, state } = record
    return serializer === undefined
      ? canonical.writeOpaque(oid, className, references, state)
      : canonical.write(oid, className, references, serializer.decode(state, record))
  }
}

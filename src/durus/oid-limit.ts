import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { fileKind } from '../storages/file-kind.js'
import type { StorageKind } from '../storages/registry.js'
import type { DurusSource } from './source.js'

/**
 * The index of Perdure's own file takes eight bytes for each oid up to the largest one: a single oid that is damaged
 * would make it fill the disk. Durus gives out oids one after another, so there are no more than once were objects.
 */
const SPARE_OIDS = 2 ** 26
const OIDS_PER_OBJECT = 1024

/** An oid that no object of the source should have. */
export function oidLimit({ objects }: DurusSource): Oid {
  return SPARE_OIDS + OIDS_PER_OBJECT * objects
}

/**
 * Sees to it that a storage of this kind does not suffer from the oids of a source.
 *
 * @throws PerdureError `PERDURE_LIMIT` with `details.oid`
 */
export function checkOids(source: DurusSource, kind: StorageKind): void {
  const { highestOid: oid, objects, path } = source
  const limit = oidLimit(source)
  if (kind !== fileKind || oid < limit) return
  throw new PerdureError(
    'PERDURE_LIMIT',
    `${path} has an object ${oid}, but no more than ${objects} objects. The file is damaged, or its database needs another kind of storage, say sqlite.`,
    { details: { oid, path, limit } },
  )
}

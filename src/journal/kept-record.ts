import { CorruptionError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { RESTORE_OR_REPAIR, recordIsIntact, recordOid } from './format.js'
import type { PackTables } from './pack-tables.js'

/**
 * Checks a record that is to be kept: that it is of the object it was found for, and that its checksum is right.
 *
 * @param offset in the journal at `path`, where the record was read from
 * @param start where it is in `bytes`
 * @param length of its data
 * @throws CorruptionError
 */
export function checkKeptRecord(
  path: string,
  tables: PackTables,
  offset: number,
  { bytes, view, start, length }: { bytes: Buffer; view: DataView; start: number; length: number },
): Oid {
  const oid = length === 0 ? -1 : recordOid(view, start)
  const isIts = tables.positions[oid] === offset && tables.lengths[oid] === length
  if (!isIts || !recordIsIntact(bytes, view, start, length)) throw damagedRecord(path, offset, oid)
  return oid
}

/** @param oid -1 if it is not known */
export function damagedRecord(path: string, offset: number, oid: Oid): CorruptionError {
  const what = oid < 0 ? 'a record' : `the record of object ${oid}`
  return new CorruptionError(
    path,
    offset,
    `${what}, which a pack would have to keep, is not what was stored. Nothing was packed. ${RESTORE_OR_REPAIR}`,
    oid < 0 ? {} : { details: { oid } },
  )
}

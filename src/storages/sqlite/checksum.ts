import { crc32 } from 'node:zlib'
import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'

/**
 * What stands in the column `checksum`: SQLite has none of its own, and would give bytes that have changed on the disk
 * as if nothing had happened. It begins with the oid and the tid, so that a record does not pass for another one.
 */
export function checksumOf(oid: Oid, tid: Tid, data: Uint8Array): number {
  return crc32(data, (oid + tid) % 2 ** 32)
}

/** @throws PerdureError `PERDURE_CORRUPTION` */
export function checkRecord(path: string, oid: Oid, tid: Tid, data: Uint8Array, checksum: number): void {
  if (checksum === checksumOf(oid, tid, data)) return
  throw new PerdureError(
    'PERDURE_CORRUPTION',
    `${path} is damaged: the checksum of object ${oid}, written by transaction ${tid}, is wrong. Restore a backup.`,
    { details: { path, oid } },
  )
}

import type { Storage } from '../core/storage.js'
import { ContentTally, missingObject } from './content-tally.js'

/**
 * Sees to it that every object of a new database that is referred to is there. Restored transactions are stored
 * without that check.
 *
 * @param path for the message
 * @throws PerdureError `PERDURE_OBJECT_MISSING` with `details.oid`, the object that is missing, and `details.referrer`;
 *   what the storage throws
 */
export async function checkReferences(storage: Storage, path: string): Promise<void> {
  const snapshot = storage.snapshot()
  try {
    const tally = new ContentTally()
    for await (const { oids, bytes, referenceEnds, references } of snapshot.scan()) {
      for (const [i, oid] of oids.entries()) {
        const targets = references.subarray(referenceEnds[i - 1] ?? 0, referenceEnds[i])
        tally.addObject(oid, bytes[i] as number, targets)
      }
    }
    const { missing } = tally
    if (missing !== undefined) throw await missingObject(path, snapshot, missing)
  } finally {
    snapshot.release()
  }
}

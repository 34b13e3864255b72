import { PerdureError } from '../errors.js'
import type { Storage } from '../storage.js'
import { type ObjectSummary, summaryOf } from './object-summary.js'
import { type DiagnosticOptions, scanStorage } from './scan-storage.js'

/** They are held in memory. */
const MOST = 1_000_000

/**
 * The objects with the largest records.
 *
 * @param count how many, at most 1,000,000
 * @returns the largest first; of those of one size the oldest oid first
 * @throws PerdureError `PERDURE_ARGUMENT`; what {@link Storage.snapshotAt} and {@link Snapshot.scan} throw; the reason
 *   of `signal`
 */
export async function largest(
  storage: Storage,
  count: number,
  options: DiagnosticOptions = {},
): Promise<ObjectSummary[]> {
  if (!Number.isSafeInteger(count) || count < 1 || count > MOST) {
    throw new PerdureError('PERDURE_ARGUMENT', `Ask for 1 to ${MOST} largest objects, not ${count}.`)
  }
  let found: ObjectSummary[] = []
  /** No smaller one is among the largest. */
  let least = 0
  for await (const batch of scanStorage(storage, options)) {
    for (let i = 0; i < batch.oids.length; i++) {
      if ((batch.bytes[i] as number) < least) continue
      found.push(summaryOf(batch, i))
      // Sorted only now and then, so that each object costs little.
      if (found.length < 2 * count) continue
      found = found.sort(bySize).slice(0, count)
      least = (found.at(-1) as ObjectSummary).bytes
    }
  }
  return found.sort(bySize).slice(0, count)
}

function bySize(a: ObjectSummary, b: ObjectSummary): number {
  return b.bytes - a.bytes || a.oid - b.oid
}

import { PerdureError } from '../errors.js'
import { isId, type Oid } from '../oid.js'
import type { RecordBatch, Storage } from '../storage.js'
import { type ObjectSummary, summaryOf } from './object-summary.js'
import { type DiagnosticOptions, scanStorage } from './scan-storage.js'

/**
 * The objects that refer to an object, each once, in no particular order. They are given as they are found: the scan
 * ends when the loop does.
 *
 * @param oid of an object that need not exist
 * @throws PerdureError `PERDURE_ARGUMENT` for what is no oid; what {@link Storage.snapshotAt} and {@link Snapshot.scan} throw; the reason of `signal`
 */
export async function* referrers(
  storage: Storage,
  oid: Oid,
  options: DiagnosticOptions = {},
): AsyncGenerator<ObjectSummary, void> {
  if (!isId(oid)) throw new PerdureError('PERDURE_ARGUMENT', `${String(oid)} is not an oid: oidOf(object) gives one.`)
  for await (const batch of scanStorage(storage, options)) {
    for (const position of referring(batch, oid)) yield summaryOf(batch, position)
  }
}

/** Positions of the objects of a batch that refer to `oid`. */
function* referring({ references, referenceEnds }: RecordBatch, oid: Oid): Generator<number> {
  let position = 0
  for (let at = references.indexOf(oid); at !== -1; ) {
    while ((referenceEnds[position] as number) <= at) position++
    yield position
    at = references.indexOf(oid, referenceEnds[position] as number)
  }
}

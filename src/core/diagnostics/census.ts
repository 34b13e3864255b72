import type { RecordBatch, Storage } from '../storage.js'
import { type DiagnosticOptions, scanStorage } from './scan-storage.js'

/** All objects of one class. */
export interface ClassCensus {
  readonly className: string
  readonly objects: number
  /** Size of their records, in bytes. */
  readonly bytes: number
}

/**
 * Counts the objects of a storage by class, whether or not they can be reached.
 *
 * @returns the class that takes the most bytes first
 * @throws PerdureError what {@link Storage.snapshotAt} and {@link Snapshot.scan} throw; the reason of `signal`
 */
export async function census(storage: Storage, options: DiagnosticOptions = {}): Promise<ClassCensus[]> {
  const classes = new Map<string, { objects: number; bytes: number }>()
  for await (const batch of scanStorage(storage, options)) count(batch, classes)
  return Array.from(classes, ([className, counts]) => ({ className, ...counts })).sort(
    (a, b) => b.bytes - a.bytes || (a.className < b.className ? -1 : 1),
  )
}

function count(batch: RecordBatch, classes: Map<string, { objects: number; bytes: number }>): void {
  const counts = batch.classNames.map((className) => {
    const known = classes.get(className) ?? { objects: 0, bytes: 0 }
    classes.set(className, known)
    return known
  })
  for (let i = 0; i < batch.oids.length; i++) {
    const known = counts[batch.classes[i] as number] as { objects: number; bytes: number }
    known.objects++
    known.bytes += batch.bytes[i] as number
  }
}

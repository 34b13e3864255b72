import type { Snapshot, Storage } from '../core/storage.js'
import type { WorkerPool } from '../workers/pool.js'
import { ContentTally } from './content-tally.js'
import { conversionPool, RecordPipeline } from './record-pipeline.js'

/** Options of {@link contentHash}. */
export interface ContentHashOptions {
  /** What is hashed. Default: the newest state. The caller releases it. */
  readonly snapshot?: Snapshot
  /** Called now and then, and once at the end. */
  readonly onProgress?: ((progress: ContentHashProgress) => void) | undefined
  /** Stops the work; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface ContentHashProgress {
  readonly objects: number
  /** Estimated; 0 where the storage cannot tell. */
  readonly objectsTotal: number
  readonly bytes: number
}

/** What {@link contentHash} has found. */
export interface ContentHash {
  /** 64 hexadecimal digits. */
  readonly hash: string
  readonly objects: number
  /** Size of all records, in bytes. */
  readonly bytes: number
}

/**
 * A hash of all objects of a database: their oids, classes, references and values. It is the same for every storage and
 * serializer, and does not depend on the order in which the objects stand there. What it is made of, and what it is not
 * good for, is told in docs/conversion.md.
 *
 * @throws PerdureError `PERDURE_DECODE` with `details.oid` for an object that cannot be decoded; `PERDURE_SERIALIZER`,
 *   `PERDURE_THREAD`, what reading the storage throws; the reason of `options.signal`
 */
export async function contentHash(storage: Storage, options: ContentHashOptions = {}): Promise<ContentHash> {
  const pool = conversionPool()
  const snapshot = options.snapshot ?? storage.snapshot()
  try {
    const { hash, objects, bytes } = await tallyContent(storage, snapshot, pool, options)
    return { hash, objects, bytes }
  } finally {
    if (options.snapshot === undefined) snapshot.release()
    await pool.close()
  }
}

/** As {@link contentHash}, with threads that are there already, and a look at the references. */
export async function tallyContent(
  storage: Storage,
  snapshot: Snapshot,
  pool: WorkerPool,
  { onProgress, signal, hashed = true }: Omit<ContentHashOptions, 'snapshot'> & { readonly hashed?: boolean },
): Promise<ContentTally> {
  const tally = new ContentTally()
  const expected = objectsOf(storage)
  const report = () => {
    const { objects, bytes } = tally
    onProgress?.({ objects, objectsTotal: Math.max(objects, expected), bytes })
  }
  const pipeline = new RecordPipeline(pool, {
    from: storage.serializer,
    hashed,
    signal,
    onChunk: (result) => {
      tally.add(result)
      report()
    },
  })
  await pipeline.run(snapshot, expected)
  report()
  return tally
}

/** How many objects a storage says it has; 0 if it does not tell. */
export function objectsOf(storage: Storage): number {
  const { objects } = storage.statistics()
  return typeof objects === 'number' ? objects : 0
}

import type { PointInTime, RecordBatch, Storage } from '../storage.js'

/** Options of all diagnostics. */
export interface DiagnosticOptions {
  /** The state to look at, for a storage with the capability `history`. Default: the newest. */
  readonly at?: PointInTime
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
  /** Called now and then. */
  readonly onProgress?: (progress: DiagnosticProgress) => void
}

/** How far a diagnostic has come. */
export interface DiagnosticProgress {
  /** Reading what objects there are, or, for `unreachable` only, following their references from the root. */
  readonly phase: 'scan' | 'mark'
  /** Objects read; those reached. */
  readonly objects: number
  /** Size of the records of the objects read, in bytes. */
  readonly bytes: number
}

/** Scans one snapshot, which is released at the end, however that comes. */
export async function* scanStorage(
  storage: Storage,
  { at, signal, onProgress }: DiagnosticOptions,
): AsyncGenerator<RecordBatch, void> {
  signal?.throwIfAborted()
  const snapshot = at === undefined ? storage.snapshot() : await storage.snapshotAt(at)
  let objects = 0
  let bytes = 0
  try {
    for await (const batch of snapshot.scan()) {
      signal?.throwIfAborted()
      objects += batch.oids.length
      for (const size of batch.bytes) bytes += size
      onProgress?.({ phase: 'scan', objects, bytes })
      yield batch
    }
    signal?.throwIfAborted()
  } finally {
    snapshot.release()
  }
}

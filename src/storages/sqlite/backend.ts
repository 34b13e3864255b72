import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import type { CommitRequest, CommitResult, PointInTime } from '../../core/storage.js'
import type { SqliteHandle } from '../sqlite-handle.js'
import type { SqliteStorageSettings } from '../sqlite-options.js'
import type { Extent } from './points.js'
import type { View } from './snapshot.js'

/** What a view shows: a transaction, and by what to read it. */
export interface ViewAt extends View {
  readonly tid: Tid
}

/** Everything that can be read now, to be read as it is now until it is released. */
export interface WholeView extends View {
  readonly extent: Extent
}

/** Figures of the whole storage. */
export interface BackendFigures {
  readonly tid: Tid
  readonly objects: number
  readonly bytes: number
  readonly nextOid: Oid
  readonly commits: number
  readonly conflicts: number
  readonly historyFrom: Tid
  readonly batches?: number
  readonly largestBatch?: number
}

/** What differs between the ways to have a storage open. */
export interface SqliteBackend {
  readonly path: string
  readonly serializer: string
  readonly databaseId: string
  readonly temporary: boolean
  readonly settings: SqliteStorageSettings
  /** A view of the newest state. */
  newest(): ViewAt
  /** A view of the past. @throws as said at `Storage.snapshotAt` */
  at(point: PointInTime): ViewAt
  /** All there is, for what takes longer and must not see it change. */
  whole(): WholeView
  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined
  allocateOids(count: number): Oid
  commit(request: CommitRequest): Promise<CommitResult>
  share(): SqliteHandle
  figures(): BackendFigures
  /** Waits for what is under way, then lets go of everything. */
  close(): Promise<void>
}

export function readonlyError(path: string): PerdureError {
  return new PerdureError('PERDURE_READONLY', `${path} was opened readonly. Open it without { readonly: true }.`, {
    details: { path },
  })
}

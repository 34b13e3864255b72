export { BTree, type BTreeRange } from './collections/btree.js'
export type { BTreeKey } from './collections/btree-key.js'
export { PersistentList } from './collections/persistent-list.js'
export { PersistentMap } from './collections/persistent-map.js'
export { PersistentSet } from './collections/persistent-set.js'
export {
  type ContentHash,
  type ContentHashOptions,
  type ContentHashProgress,
  contentHash,
} from './conversion/content-hash.js'
export { type ConvertOptions, type ConvertProgress, type ConvertResult, convert } from './convert.js'
export type { ClassKind, PersistentClass } from './core/class-info.js'
export { Placeholder, registerClass } from './core/class-registry.js'
export { Connection, type ConnectionStatistics } from './core/connection.js'
export type { CommitOptions, ConnectionOptions, Isolation } from './core/connection-options.js'
export { Database } from './core/database.js'
export { type ClassCensus, census } from './core/diagnostics/census.js'
export { largest } from './core/diagnostics/largest.js'
export type { ObjectSummary } from './core/diagnostics/object-summary.js'
export { referrers } from './core/diagnostics/referrers.js'
export type { DiagnosticOptions, DiagnosticProgress } from './core/diagnostics/scan-storage.js'
export {
  type UnreachableObject,
  UnreachableObjects,
  type UnreachableTotals,
} from './core/diagnostics/unreachable.js'
export {
  type Conflict,
  ConflictError,
  CorruptionError,
  type ErrorCode,
  type ErrorDetails,
  PerdureError,
} from './core/errors.js'
export { field } from './core/field.js'
export type { ObjectVersion } from './core/object-history.js'
export { type Oid, ROOT_OID, type Tid } from './core/oid.js'
export { type AutomaticPackOptions, PackSchedule } from './core/pack-schedule.js'
export { isPersistent, noteChange, oidOf, Persistent } from './core/persistent.js'
export type * from './core/storage.js'
export type { TransactOptions } from './core/transact.js'
export type { ClassTarget, DurusMapping, StateConverter } from './durus/map/class-map.js'
export type { Change, ChangeKind, ChangeSummary } from './durus/map/import-report.js'
export type { ImportedClass } from './durus/map/map-source.js'
export type { ValueConverter } from './durus/map/state-mapper.js'
export type { DurusFormat } from './durus/source.js'
export {
  type DurusImportOptions,
  type DurusImportProgress,
  type DurusImportReport,
  importDurus,
} from './import-durus.js'
export { type Location, type OpenOptions, open, type Root } from './open.js'
export type { Registration } from './registration.js'
export { packFile } from './storages/pack-file.js'
export type { FilePackOptions } from './storages/pack-options.js'
export { repairFile } from './storages/repair.js'
export type {
  DamagedRegion,
  DanglingReference,
  LostObject,
  RepairOptions,
  RepairReport,
} from './storages/repair-report.js'
export { type TruncateOptions, truncateAfter } from './storages/truncate.js'
export type { TruncateResult } from './storages/truncate-work.js'

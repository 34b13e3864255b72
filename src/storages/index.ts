import './built-in-kinds.js'

export type * from '../core/storage.js'
export type { ClientStorageOptions, ClientTlsOptions } from './client/client-options.js'
export { ClientStorage } from './client.js'
export { FileStorage } from './file.js'
export type { FileStorageOptions } from './file-options.js'
export { type ForeignFormat, registerForeignFormat } from './foreign-format.js'
export { MemoryStorage, type MemoryStorageOptions } from './memory.js'
export { packFile } from './pack-file.js'
export type { FilePackOptions } from './pack-options.js'
export {
  detectStorageKind,
  findStorageKind,
  registerStorage,
  type StorageKind,
  type StorageOpenOptions,
  storageKinds,
} from './registry.js'
export { repairFile } from './repair.js'
export type {
  DamagedRegion,
  DanglingReference,
  LostObject,
  RepairKeep,
  RepairOptions,
  RepairProgress,
  RepairReport,
} from './repair-report.js'
export type { SqliteBackupOptions, SqliteBackupResult } from './sqlite/backup.js'
export { SqliteStorage } from './sqlite.js'
export type { SqliteStorageOptions } from './sqlite-options.js'
export { TemporaryPlace } from './temporary-place.js'

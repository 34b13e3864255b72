import type { StorageKind } from './registry.js'
import { isOurs } from './sqlite/file-head.js'
import { SQLITE_OPTIONS, type SqliteStorageOptions } from './sqlite-options.js'

/** SqliteStorage, as `open()` chooses it. It and SQLite are loaded only when they are used. */
export const sqliteKind: StorageKind = {
  name: 'sqlite',
  summary: 'An SQLite database, whose tables other tools can read, written by a thread of its own.',
  options: SQLITE_OPTIONS,
  sidecars: ['-wal', '-shm', '-journal', '.lock'],
  recognizes: isOurs,
  open: async (path, options) => {
    const { SqliteStorage } = await import('./sqlite.js')
    return SqliteStorage.open(path, options as SqliteStorageOptions)
  },
}

import type { OpenedDatabase } from './sqlite/messages.js'
import type { WriterLink } from './sqlite/writer-thread.js'
import type { SqliteStorageSettings } from './sqlite-options.js'

/** What another thread needs to open the storage too. It passes through `workerData` and `postMessage`. */
export type SqliteHandle =
  | {
      readonly kind: 'sqlite-writable'
      readonly path: string
      readonly settings: SqliteStorageSettings
      readonly opened: OpenedDatabase
      /** Its port must be in the transfer list. */
      readonly writer: WriterLink
    }
  | { readonly kind: 'sqlite-readonly'; readonly path: string; readonly settings: SqliteStorageSettings }

/** Whether a value is what `SqliteStorage.share` has made, after it came through a message. */
export function isSqliteHandle(value: unknown): value is SqliteHandle {
  const kind = (value as Partial<SqliteHandle> | null)?.kind
  return kind === 'sqlite-writable' || kind === 'sqlite-readonly'
}

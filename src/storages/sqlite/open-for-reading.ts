import { statSync } from 'node:fs'
import { PerdureError } from '../../core/errors.js'
import { fileError } from '../../journal/journal-file.js'
import type { SqliteConnection, SqliteEngine, SqliteStatement, SqlRow } from './engine.js'
import { setCacheSize } from './open-for-writing.js'
import { checkFormat } from './schema.js'

const BUSY_TIMEOUT_MS = 5_000

/**
 * Opens a connection that only reads, in a process that does not write.
 *
 * A database in WAL mode needs files beside it. Where they are not there and cannot be made, it is read as it lies on
 * the disk, and each query checks that it still lies there unchanged.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_CORRUPTION`, `PERDURE_PERMISSION`,
 *   and as said at SqliteEngine
 */
export function openForReading(engine: SqliteEngine, path: string, cacheBytes: number): SqliteConnection {
  try {
    return check(engine.open(path, { readonly: true, busyTimeoutMs: BUSY_TIMEOUT_MS }), cacheBytes)
  } catch (error) {
    if (!isWalRefused(error)) throw error
    const before = look(path)
    if (before.walBytes > 0) throw walUnreadable(path, error)
    const connection = engine.open(path, { readonly: true, immutable: true })
    return check(new WatchedConnection(connection, before), cacheBytes)
  }
}

function check(connection: SqliteConnection, cacheBytes: number): SqliteConnection {
  try {
    setCacheSize(connection, cacheBytes)
    checkFormat(connection)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** SQLite could not make, or not open, what it needs beside the file. */
function isWalRefused(error: unknown): boolean {
  return error instanceof PerdureError && (error.code === 'PERDURE_PERMISSION' || error.code === 'PERDURE_READONLY')
}

function walUnreadable(path: string, cause: unknown): PerdureError {
  return new PerdureError(
    'PERDURE_PERMISSION',
    `${path} has a file ${path}-wal with what was committed last, and its folder cannot be written, which SQLite needs to read that. Open it once where it can be written, or let this user write in the folder.`,
    { details: { path }, cause },
  )
}

/** By what one sees that a file has been written. */
interface Look {
  readonly inode: number
  readonly bytes: number
  readonly modified: number
  readonly walBytes: number
}

function look(path: string): Look {
  try {
    const { ino: inode, size: bytes, mtimeMs: modified } = statSync(path)
    return { inode, bytes, modified, walBytes: statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0 }
  } catch (error) {
    throw fileError(error, path, 'look at')
  }
}

/** A connection to a file that nobody must write: says so if somebody does, rather than read half of each. */
class WatchedConnection implements SqliteConnection {
  readonly path: string
  readonly #connection: SqliteConnection
  readonly #before: Look

  constructor(connection: SqliteConnection, before: Look) {
    this.path = connection.path
    this.#connection = connection
    this.#before = before
  }

  exec(sql: string): void {
    this.#connection.exec(sql)
  }

  prepare<Row extends SqlRow>(sql: string): SqliteStatement<Row> {
    const statement = this.#connection.prepare<Row>(sql)
    const watched = <T>(read: () => T): T => {
      try {
        return read()
      } finally {
        this.#check()
      }
    }
    return {
      run: (...values) => watched(() => statement.run(...values)),
      get: (...values) => watched(() => statement.get(...values)),
      all: (...values) => watched(() => statement.all(...values)),
      iterate: (...values) => statement.iterate(...values),
    }
  }

  #check(): void {
    const now = look(this.path)
    const { inode, bytes, modified } = this.#before
    if (now.inode === inode && now.bytes === bytes && now.modified === modified && now.walBytes === 0) return
    throw new PerdureError(
      'PERDURE_STALE',
      `${this.path} has been written since it was opened here, readonly and in a folder that cannot be written. Open it again.`,
      { details: { path: this.path } },
    )
  }

  close(): void {
    this.#connection.close()
  }
}

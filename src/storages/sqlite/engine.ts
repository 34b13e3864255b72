/** What a column can hold. Integers are safe ones: what is read is cast, see {@link integer}. */
export type SqlValue = number | string | Uint8Array | null

/** One row, its columns in the order of the query. */
export type SqlRow = readonly SqlValue[]

/**
 * One statement, to be run as often as one likes. Placeholders are question marks; values are given in their order.
 *
 * @throws PerdureError as said at {@link SqliteEngine}, whichever method is called
 */
export interface SqliteStatement<Row extends SqlRow = SqlRow> {
  /** Runs a statement that gives no rows. Returns how many rows it has changed. */
  run(...values: SqlValue[]): number
  /** The first row, or undefined if there is none. */
  get(...values: SqlValue[]): Row | undefined
  all(...values: SqlValue[]): Row[]
  /**
   * The rows one after another. The connection stays at the version of the database that it sees now until the last row
   * has been taken or the loop is left; the statement must not be run in the meantime.
   */
  iterate(...values: SqlValue[]): Generator<Row, void, undefined>
}

/** One connection to one database file. It belongs to the thread that has opened it. */
export interface SqliteConnection {
  readonly path: string
  /** Runs statements that give no rows. */
  exec(sql: string): void
  prepare<Row extends SqlRow = SqlRow>(sql: string): SqliteStatement<Row>
  /** May be called more than once; anything else afterwards throws `PERDURE_CLOSED`. */
  close(): void
}

export interface SqliteOpenOptions {
  /** The file must exist then, and is never written. Default: it is created if there is none. */
  readonly readonly?: boolean
  /**
   * Only with `readonly`: nobody writes the file as long as it is open. Then SQLite needs neither locks nor files of its
   * own beside it, as it does for a database in WAL mode. What stands in a `-wal` file is not seen.
   */
  readonly immutable?: boolean
  /** How long to wait for a lock that another connection holds, in ms. Default: 0. */
  readonly busyTimeoutMs?: number
}

/**
 * SQLite, whichever package it comes from.
 *
 * Every value that a query reads has to go through {@link integer} or {@link bytes}. A damaged or a forged file can have
 * text in any column, whatever its declared type; and libsql ends the process, by a panic of Rust that nothing can
 * catch, when it meets text that is not valid UTF-8.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_CORRUPTION`, `PERDURE_LOCKED`, `PERDURE_NO_SPACE`,
 *   `PERDURE_READONLY`, `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND`, `PERDURE_LIMIT`, `PERDURE_IO`, all of them with
 *   `details.path` and `details.sqlite`, the number of SQLite's own code (https://sqlite.org/rescode.html)
 */
export interface SqliteEngine {
  readonly name: 'node:sqlite' | 'libsql'
  open(path: string, options?: SqliteOpenOptions): SqliteConnection
}

/** An SQL expression for an integer column, or NULL. See {@link SqliteEngine} for the reason. */
export function integer(column: string): string {
  return `cast(${column} as integer)`
}

/** An SQL expression for the bytes of a blob or of a text, or NULL. See {@link SqliteEngine} for the reason. */
export function bytes(column: string): string {
  return `cast(${column} as blob)`
}

/** The text of which the bytes were read by way of {@link bytes}. What is not UTF-8 in it is replaced. */
export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

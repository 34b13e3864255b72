import { pathToFileURL } from 'node:url'
import Database from 'libsql'
import type { SqliteConnection, SqliteEngine, SqliteOpenOptions, SqliteStatement, SqlRow, SqlValue } from './engine.js'
import { connectionClosed, sqliteError } from './sqlite-error.js'

/** Of the package's declarations, which are those of another one, only this is true and used. */
interface RawStatement {
  raw(): this
  run(values: readonly SqlValue[]): { changes: number }
  get(values: readonly SqlValue[]): unknown
  iterate(values: readonly SqlValue[]): Iterable<unknown>
}

type RawDatabase = InstanceType<typeof Database>

/** SQLite as the package libsql has it: https://github.com/tursodatabase/libsql-js. */
export const libsqlEngine: SqliteEngine = {
  name: 'libsql',
  open(path: string, { readonly = false, immutable = false, busyTimeoutMs = 0 }: SqliteOpenOptions = {}) {
    // Its own option readonly does nothing.
    const mode = immutable ? '?immutable=1' : readonly ? '?mode=ro' : ''
    return attempt(path, () => {
      const connection = new LibsqlConnection(path, new Database(pathToFileURL(path).href + mode))
      connection.exec(`pragma busy_timeout = ${busyTimeoutMs}`)
      return connection
    })
  },
}

class LibsqlConnection implements SqliteConnection {
  readonly path: string
  #database: RawDatabase | undefined
  /**
   * SQLite closes the file when the last statement is gone, too, and libsql has no other way to give one up than to
   * forget it; so all are forgotten here, whoever else holds them.
   */
  readonly #statements = new Set<WeakRef<LibsqlStatement<SqlRow>>>()

  constructor(path: string, database: RawDatabase) {
    this.path = path
    this.#database = database
  }

  exec(sql: string): void {
    const database = this.#opened()
    attempt(this.path, () => database.exec(sql))
  }

  prepare<Row extends SqlRow>(sql: string): SqliteStatement<Row> {
    const database = this.#opened()
    return attempt(this.path, () => {
      const statement = new LibsqlStatement<Row>(this.path, database.prepare(sql) as unknown as RawStatement)
      this.#statements.add(new WeakRef(statement as unknown as LibsqlStatement<SqlRow>))
      return statement
    })
  }

  close(): void {
    const database = this.#database
    this.#database = undefined
    for (const statement of this.#statements) statement.deref()?.forget()
    this.#statements.clear()
    if (database !== undefined) attempt(this.path, () => database.close())
  }

  #opened(): RawDatabase {
    if (this.#database === undefined) throw connectionClosed(this.path)
    return this.#database
  }
}

class LibsqlStatement<Row extends SqlRow> implements SqliteStatement<Row> {
  readonly #path: string
  #raw: RawStatement | undefined
  /**
   * Whether rows have been taken one after another. After that, libsql's `get` uses the values of before instead of those
   * that it is given, once, and only then resets the statement.
   */
  #stale = false

  constructor(path: string, raw: RawStatement) {
    this.#path = path
    this.#raw = raw
  }

  forget(): void {
    this.#raw = undefined
  }

  run(...values: SqlValue[]): number {
    const raw = this.#prepared()
    return attempt(this.#path, () => raw.run(values).changes)
  }

  get(...values: SqlValue[]): Row | undefined {
    const raw = this.#prepared().raw()
    if (this.#stale) this.#reset(raw)
    return attempt(this.#path, () => raw.get(values) as Row | undefined)
  }

  all(...values: SqlValue[]): Row[] {
    const raw = this.#prepared().raw()
    this.#stale = true
    return attempt(this.#path, () => [...(raw.iterate(values) as Iterable<Row>)])
  }

  *iterate(...values: SqlValue[]): Generator<Row, void, undefined> {
    const raw = this.#prepared().raw()
    this.#stale = true
    try {
      yield* raw.iterate(values) as Iterable<Row>
    } catch (error) {
      throw libsqlError(this.#path, error)
    } finally {
      // A loop that was left early has left the statement as it was, and with it the version the connection sees.
      this.#reset(raw)
    }
  }

  #reset(raw: RawStatement): void {
    this.#stale = false
    try {
      raw.get([])
    } catch {
      // It tells once more why the rows have ended.
    }
  }

  #prepared(): RawStatement {
    if (this.#raw === undefined) throw connectionClosed(this.#path)
    return this.#raw
  }
}

function attempt<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw libsqlError(path, error)
  }
}

/** What a failure to open says instead of carrying a code: `ConnectionFailed("Unable to ... /tmp/a: 14")`. */
const OPEN_FAILURE = /^ConnectionFailed\(.*: (\d+)"\)$/s

function libsqlError(path: string, error: unknown): unknown {
  const { rawCode, message } = error as { rawCode?: number; message: string }
  if (rawCode !== undefined) return sqliteError(path, rawCode, message, error)
  const number = OPEN_FAILURE.exec(message)?.[1]
  return number === undefined ? error : sqliteError(path, Number(number), 'cannot be opened', error)
}

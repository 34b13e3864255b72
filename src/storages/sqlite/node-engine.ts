import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { SqliteConnection, SqliteEngine, SqliteOpenOptions, SqliteStatement, SqlRow, SqlValue } from './engine.js'
import { connectionClosed, sqliteError } from './sqlite-error.js'

/*
 * The SQLite that is part of Node: https://nodejs.org/docs/latest-v24.x/api/sqlite.html. What of it is used is declared
 * here, because the types that come with the oldest Node we build for do not know it.
 */

interface NodeStatement {
  run(...values: readonly SqlValue[]): { changes: number | bigint }
  get(...values: readonly SqlValue[]): unknown
  all(...values: readonly SqlValue[]): unknown[]
  iterate(...values: readonly SqlValue[]): Iterable<unknown>
  setReturnArrays(enabled: boolean): void
}

interface NodeDatabase {
  exec(sql: string): void
  prepare(sql: string): NodeStatement
  close(): void
}

interface NodeSqlite {
  DatabaseSync: new (path: string, options: { readOnly: boolean; timeout: number }) => NodeDatabase
}

/** @throws an error of Node's if it has no SQLite, as before version 22 */
export function nodeEngine(): SqliteEngine {
  const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as NodeSqlite
  return {
    name: 'node:sqlite',
    open(path: string, { readonly = false, immutable = false, busyTimeoutMs = 0 }: SqliteOpenOptions = {}) {
      const name = immutable ? `${pathToFileURL(path).href}?immutable=1` : path
      return attempt(path, () => {
        const database = new DatabaseSync(name, { readOnly: readonly, timeout: busyTimeoutMs })
        return new NodeConnection(path, database)
      })
    },
  }
}

class NodeConnection implements SqliteConnection {
  readonly path: string
  #database: NodeDatabase | undefined

  constructor(path: string, database: NodeDatabase) {
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
      const statement = database.prepare(sql)
      statement.setReturnArrays(true)
      return new PreparedStatement<Row>(this.path, statement)
    })
  }

  close(): void {
    const database = this.#database
    this.#database = undefined
    if (database !== undefined) attempt(this.path, () => database.close())
  }

  #opened(): NodeDatabase {
    if (this.#database === undefined) throw connectionClosed(this.path)
    return this.#database
  }
}

class PreparedStatement<Row extends SqlRow> implements SqliteStatement<Row> {
  readonly #path: string
  readonly #statement: NodeStatement

  constructor(path: string, statement: NodeStatement) {
    this.#path = path
    this.#statement = statement
  }

  run(...values: SqlValue[]): number {
    return attempt(this.#path, () => Number(this.#statement.run(...values).changes))
  }

  get(...values: SqlValue[]): Row | undefined {
    return attempt(this.#path, () => this.#statement.get(...values) as Row | undefined)
  }

  all(...values: SqlValue[]): Row[] {
    return attempt(this.#path, () => this.#statement.all(...values) as Row[])
  }

  *iterate(...values: SqlValue[]): Generator<Row, void, undefined> {
    try {
      yield* this.#statement.iterate(...values) as Iterable<Row>
    } catch (error) {
      throw nodeError(this.#path, error)
    }
  }
}

function attempt<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw nodeError(path, error)
  }
}

function nodeError(path: string, error: unknown): unknown {
  const { code, errcode, message } = error as { code?: unknown; errcode?: number; message: string }
  // Both of "database is not open" and "statement has been finalized".
  if (code === 'ERR_INVALID_STATE') return connectionClosed(path)
  // An integer beyond 2^53, which we never store.
  if (code === 'ERR_OUT_OF_RANGE') return sqliteError(path, 11, message, error)
  return code === 'ERR_SQLITE_ERROR' ? sqliteError(path, errcode, message, error) : error
}

import { CorruptionError, type ErrorDetails, PerdureError } from '../core/errors.js'
import { MAX_ID, type Oid } from '../core/oid.js'
import { MAX_RECORD_BYTES } from '../journal/format.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { bytes, integer, type SqliteConnection, type SqliteStatement } from '../storages/sqlite/engine.js'
import { loadSqlite } from '../storages/sqlite/load-engine.js'
import { readInt8 } from './record-file.js'
import type { DurusObject, DurusSource } from './source.js'

/** Durus keeps others out for as long as one commit takes. */
const BUSY_MS = 2000

const OIDS_AT_ONCE = 1000

/** The columns as Durus makes them: of a forged file, `objects` might be a view that never ends. */
const TABLE = `select cast(
  (select count(*) from sqlite_schema where name = 'objects' and type = 'table' and rootpage > 0) = 1 and
  (select count(*) from pragma_table_xinfo('objects') where hidden = 0 and (
    (cid = 0 and name = 'id' and lower(type) = 'integer' and pk = 1) or
    (cid = 1 and name = 'data' and pk = 0) or
    (cid = 2 and name = 'refs' and pk = 0))) = 3
  as integer)`

const STRAY_ID = `select ${bytes('id')} from objects where typeof(id) <> 'integer' or id < 0 or id > ${MAX_ID} limit 1`

const OBJECT = `select ${integer("typeof(data) = 'blob' and typeof(refs) = 'blob'")},
  ${integer('length(data) + length(refs)')},
  ${bytes(`case when length(data) + length(refs) <= ${MAX_RECORD_BYTES} then data end`)},
  ${bytes(`case when length(data) + length(refs) <= ${MAX_RECORD_BYTES} then refs end`)}
  from objects where id = ?`

type ObjectRow = [areBlobs: number, bytes: number, data: Uint8Array | null, references: Uint8Array | null]

/**
 * A file of Durus's SqliteStorage: one table `objects(id integer primary key, data blob, refs blob)`. While it is open
 * Durus cannot commit to it, so what is read belongs together.
 */
export class SqliteSource implements DurusSource {
  readonly path: string
  readonly format = 'sqlite'
  readonly objects: number
  readonly highestOid: Oid
  readonly tornBytes = 0
  readonly #connection: SqliteConnection
  readonly #object: SqliteStatement<ObjectRow>
  readonly #oids: SqliteStatement<[Oid]>
  #isOpen = true

  private constructor(connection: SqliteConnection) {
    this.path = connection.path
    this.#connection = connection
    connection.exec('begin')
    checkPages(connection)
    if (number(connection, TABLE) !== 1) throw damaged(this.path, 'its table is not the one that Durus makes.')
    const stray = connection.prepare<[Uint8Array]>(STRAY_ID).get()
    if (stray !== undefined) {
      throw damaged(this.path, `a row has ${Buffer.from(stray[0]).toString('latin1', 0, 20)} as its id.`)
    }
    this.objects = number(connection, 'select count(*) from objects')
    this.highestOid = number(connection, `select ${integer('coalesce(max(id), -1)')} from objects`)
    this.#object = connection.prepare(OBJECT)
    this.#oids = connection.prepare(
      `select ${integer('id')} from objects where id > ? order by id limit ${OIDS_AT_ONCE}`,
    )
  }

  /** @throws PerdureError `PERDURE_LOCKED`, `PERDURE_CORRUPTION`, `PERDURE_UNSUPPORTED` if there is no SQLite */
  static async open(path: string, head: Uint8Array): Promise<SqliteSource> {
    const engine = await loadSqlite()
    refuseUnfinished(path)
    // In WAL mode a reader makes files of its own; but since there are none, nobody has it open, and so no locks are needed.
    const connection = engine.open(path, { readonly: true, immutable: isWal(head), busyTimeoutMs: BUSY_MS })
    try {
      return new SqliteSource(connection)
    } catch (error) {
      closeUnlocked(connection)
      throw error
    }
  }

  *oids(): Generator<Oid> {
    for (let last = -1; ; ) {
      const some = this.#oids.all(last)
      for (const [oid] of some) yield oid
      if (some.length < OIDS_AT_ONCE) return
      last = (some.at(-1) as [Oid])[0]
    }
  }

  load(oid: Oid): DurusObject | undefined {
    const row = this.#object.get(oid)
    if (row === undefined) return undefined
    const [areBlobs, length, data, refs] = row
    if (areBlobs !== 1) throw this.#damaged(oid, 'it is not made of two blobs')
    if (data === null || refs === null) {
      throw new PerdureError(
        'PERDURE_RECORD_TOO_LARGE',
        `Object ${oid} takes ${length} bytes in ${this.path}; an object may take ${MAX_RECORD_BYTES}.`,
        { details: { oid, path: this.path, bytes: length } },
      )
    }
    if (data.length === 0) throw this.#damaged(oid, 'it has no data')
    if (refs.length % 8 !== 0) throw this.#damaged(oid, 'its references are cut off')
    const references: Oid[] = []
    for (let at = 0; at < refs.length; at += 8) {
      const reference = readInt8(Buffer.from(refs.buffer, refs.byteOffset + at, 8), 0)
      if (reference > MAX_ID) throw this.#damaged(oid, `it refers to ${reference}, which no object can have as its oid`)
      references.push(reference)
    }
    return { oid, data: Uint8Array.from(data), references, offset: oid }
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeUnlocked(this.#connection)
  }

  #damaged(oid: Oid, what: string): PerdureError {
    return damaged(this.path, `of object ${oid}, ${what}.`, { oid })
  }
}

/** The lock would be held on until the garbage collector comes by, if the transaction were not ended. */
function closeUnlocked(connection: SqliteConnection): void {
  try {
    connection.exec('rollback')
  } catch {
    // None was begun.
  }
  connection.close()
}

/** Changes that stand beside the file are not in it, and to take them in would be to write it. */
function refuseUnfinished(path: string): void {
  for (const suffix of ['-wal', '-journal']) {
    const beside = path + suffix
    if (!nodeFileSystem.exists(beside) || (suffix === '-journal' && isEmpty(beside))) continue
    throw new PerdureError(
      'PERDURE_LOCKED',
      `${path} is in use, or was not closed: ${beside} belongs to it. Stop the program that has it open; if there is none, put it in order with \`sqlite3 FILE "pragma journal_mode = delete"\`.`,
      { details: { path } },
    )
  }
}

function isEmpty(path: string): boolean {
  const file = nodeFileSystem.open(path, 'read')
  try {
    return file.size() === 0
  } finally {
    file.close()
  }
}

/** The numbers at 18 and 19 say which kind of journal the file has: https://sqlite.org/fileformat2.html. */
function isWal(head: Uint8Array): boolean {
  return head[18] === 2 || head[19] === 2
}

/** Looks at each page once. Of a forged file, a tree whose branches meet again would be walked for ever otherwise. */
function checkPages(connection: SqliteConnection): void {
  const check = connection.prepare<[Uint8Array]>(`select ${bytes('quick_check')} from pragma_quick_check`).get()
  const found = Buffer.from(check?.[0] ?? []).toString('latin1')
  if (found === 'ok') return
  const page = /page (\d+)/i.exec(found)?.[1]
  const pageBytes = number(connection, 'select page_size from pragma_page_size')
  const what = `SQLite says: ${found.replace(/^\*.*\n/, '')}.`
  throw page === undefined
    ? damaged(connection.path, what)
    : new CorruptionError(connection.path, (Number(page) - 1) * pageBytes, what)
}

function number(connection: SqliteConnection, query: string): number {
  return Number(connection.prepare<[number]>(query).get()?.[0])
}

function damaged(path: string, what: string, details?: ErrorDetails): PerdureError {
  return new PerdureError('PERDURE_CORRUPTION', `${path} is damaged: ${what}`, { details: { path, ...details } })
}

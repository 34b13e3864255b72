import type { Oid, Tid } from '../../core/oid.js'
import type { StoredRecord, TransactionInfo } from '../../core/storage.js'
import { checkRecord } from './checksum.js'
import { bytes, integer, type SqliteConnection, type SqliteStatement, textOf } from './engine.js'
import { type Meta, readMeta } from './schema.js'

/** More changes than this are not listed: whoever asks takes everything as changed. */
const MAX_CHANGES = 65_536

type TransactionRow = readonly [number, number, Uint8Array, Uint8Array, Uint8Array | null, number]

/** One transaction's number and when it was, in ms since 1970. */
export interface TransactionTime {
  readonly tid: Tid
  readonly time: number
}

/** Which transactions are listed next. */
export interface TransactionPage {
  readonly from: Tid
  readonly to: Tid
  readonly oid: Oid | undefined
  readonly newestFirst: boolean
  readonly limit: number
}

/** A connection that only reads, with all that is asked of it. */
export class Reader {
  readonly #connection: SqliteConnection
  readonly #load: SqliteStatement<[number, number, Uint8Array | null]>
  readonly #page: SqliteStatement<[number, number, number, Uint8Array]>
  readonly #nextOid: SqliteStatement<[number]>
  readonly #isDoomed: SqliteStatement<[number]>
  readonly #changes: SqliteStatement<[number]>
  readonly #newest: SqliteStatement<[number, number, number]>
  readonly #timeOf: SqliteStatement<[number, number]>
  readonly #oidsOf: SqliteStatement<[number]>
  /** By what they select: see {@link transactions}. */
  readonly #listings = new Map<string, SqliteStatement<TransactionRow>>()

  constructor(connection: SqliteConnection) {
    this.#connection = connection
    this.#load = connection.prepare(
      `select ${integer('tid')}, ${integer('checksum')}, ${bytes('data')} from records
       where oid = ? and tid <= ? order by tid desc limit 1`,
    )
    this.#page = connection.prepare(
      `select ${integer('oid')}, ${integer('tid')}, ${integer('checksum')}, ${bytes('data')} from records as r
       where oid > ? and tid <= ? and data is not null
         and not exists (select 1 from records as n where n.oid = r.oid and n.tid > r.tid and n.tid <= ?)
       order by oid limit ?`,
    )
    this.#nextOid = connection.prepare(`select ${integer('oid')} from records where oid > ? order by oid limit 1`)
    this.#isDoomed = connection.prepare('select 1 from doomed where oid = ?')
    this.#changes = connection.prepare(
      `select ${integer('oid')} from records where tid > ? and tid <= ? limit ${MAX_CHANGES + 1}`,
    )
    this.#newest = connection.prepare(
      `select ${['tid', 'objects', 'total_bytes'].map(integer).join()} from transactions order by tid desc limit 1`,
    )
    this.#timeOf = connection.prepare(
      `select ${integer('tid')}, ${integer('time')} from transactions where tid >= ? order by tid limit 1`,
    )
    this.#oidsOf = connection.prepare(
      `select ${integer('oid')} from records where tid = ? and data is not null order by id`,
    )
  }

  /** From now on, everything is read as it is now, until {@link end}. */
  begin(): void {
    this.#connection.exec('begin')
  }

  end(): void {
    this.#connection.exec('rollback')
  }

  close(): void {
    this.#connection.close()
  }

  meta(): Meta {
    return readMeta(this.#connection)
  }

  newest(): { readonly tid: Tid; readonly objects: number; readonly bytes: number } {
    const [tid, objects, bytes] = this.#newest.get() ?? [0, 0, 0]
    return { tid, objects, bytes }
  }

  load(oid: Oid, tid: Tid): StoredRecord | undefined {
    const row = this.#load.get(oid, tid)
    if (row === undefined || row[2] === null) return undefined
    return this.#checked(oid, ...(row as [number, number, Uint8Array]))
  }

  /** The objects there were at transaction `tid`, by their oids: those after `oid`, at most `limit`. */
  page(oid: Oid, tid: Tid, limit: number): StoredRecord[] {
    return this.#page.all(oid, tid, tid, limit).map((row) => this.#checked(...row))
  }

  #checked(oid: Oid, tid: Tid, checksum: number, data: Uint8Array): StoredRecord {
    checkRecord(this.#connection.path, oid, tid, data, checksum)
    return { oid, tid, data }
  }

  /** The first oid after `oid` of which anything is known. */
  nextOid(oid: Oid): Oid | undefined {
    return this.#nextOid.get(oid)?.[0]
  }

  /** Whether an object does not exist, or is about to be removed by a pack. */
  isRemoved(oid: Oid, tid: Tid): boolean {
    return this.load(oid, tid) === undefined || this.#isDoomed.get(oid) !== undefined
  }

  /** What was written or removed after one transaction and up to another; undefined if that is too much. */
  changes(after: Tid, upTo: Tid): Oid[] | undefined {
    const rows = this.#changes.all(after, upTo)
    return rows.length > MAX_CHANGES ? undefined : rows.map(([oid]) => oid)
  }

  /** The first transaction from `tid` on. */
  timeFrom(tid: Tid): TransactionTime | undefined {
    const row = this.#timeOf.get(tid)
    return row && { tid: row[0], time: row[1] }
  }

  /** Those of {@link TransactionPage}, without what a pack has only removed. */
  transactions({ from, to, oid, newestFirst, limit }: TransactionPage): TransactionInfo[] {
    const rows = this.#listing(oid !== undefined, newestFirst).all(from, to, ...(oid === undefined ? [] : [oid]), limit)
    return rows.map(([tid, time, user, note, token, bytes]) => ({
      tid,
      time: new Date(time),
      note: textOf(note),
      user: textOf(user),
      ...(token !== null && { token: Uint8Array.from(token) }),
      bytes,
      oids: this.#oidsOf.all(tid).map(([oid]) => oid),
    }))
  }

  #listing(ofObject: boolean, newestFirst: boolean): SqliteStatement<TransactionRow> {
    const which = ofObject ? 'and tid in (select tid from records where oid = ? and data is not null)' : ''
    const sql = `
      select ${integer('tid')}, ${integer('time')}, ${bytes('user')}, ${bytes('note')}, ${bytes('token')}, ${integer('bytes')}
      from transactions where packed = 0 and tid between ? and ? ${which}
      order by tid ${newestFirst ? 'desc' : ''} limit ?`
    let statement = this.#listings.get(sql)
    if (statement === undefined) {
      statement = this.#connection.prepare<TransactionRow>(sql)
      this.#listings.set(sql, statement)
    }
    return statement
  }
}

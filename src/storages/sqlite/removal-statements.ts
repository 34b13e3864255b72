import type { Oid, Tid } from '../../core/oid.js'
import { bytes, integer, type SqliteConnection, type SqliteStatement } from './engine.js'

/** One row of the table `records`, without the record. */
export interface VersionRow {
  readonly id: number
  readonly tid: Tid
  /** Undefined where the object was removed. */
  readonly bytes: number | undefined
}

/** What a pack asks and changes through the connection that writes. */
export class RemovalStatements {
  readonly #doomed: SqliteStatement<[number]>
  readonly #doom: SqliteStatement
  readonly #undoom: SqliteStatement
  readonly #forgetDoomed: SqliteStatement
  readonly #versionsAfter: SqliteStatement<[number, number, Uint8Array]>
  readonly #newestData: SqliteStatement<[Uint8Array | null]>
  readonly #versionsOf: SqliteStatement<[number, number, number | null]>
  readonly #deleteVersion: SqliteStatement
  readonly #deleteTransactions: SqliteStatement

  constructor(connection: SqliteConnection) {
    this.#doomed = connection.prepare(`select ${integer('oid')} from doomed`)
    this.#doom = connection.prepare('insert or ignore into doomed (oid) values (?)')
    this.#undoom = connection.prepare('delete from doomed where oid = ?')
    this.#forgetDoomed = connection.prepare('delete from doomed where oid in (select oid from doomed limit ?)')
    this.#versionsAfter = connection.prepare(
      `select ${integer('oid')}, ${integer('tid')}, ${bytes('data')} from records
       where (tid, oid) > (?, ?) and data is not null order by tid, oid limit ?`,
    )
    this.#newestData = connection.prepare(
      `select ${bytes('data')} from records where oid = ? order by tid desc limit 1`,
    )
    this.#versionsOf = connection.prepare(
      `select ${integer('id')}, ${integer('tid')}, ${integer('length(data)')} from records where oid = ? order by tid`,
    )
    this.#deleteVersion = connection.prepare('delete from records where id = ?')
    this.#deleteTransactions = connection.prepare(
      'delete from transactions where tid in (select tid from transactions where tid < ? order by tid limit ?)',
    )
  }

  doomed(): Oid[] {
    return this.#doomed.all().map(([oid]) => oid)
  }

  doom(oids: Iterable<Oid>): void {
    for (const oid of oids) this.#doom.run(oid)
  }

  undoom(oid: Oid): void {
    this.#undoom.run(oid)
  }

  /** Returns how many there were, of at most `limit`. */
  forgetDoomed(limit: number): number {
    return this.#forgetDoomed.run(limit)
  }

  /** The versions that come after that of `oid` in transaction `tid`, ordered by transaction and oid. */
  versionsAfter(tid: Tid, oid: Oid, limit: number): { oid: Oid; tid: Tid; data: Uint8Array }[] {
    return this.#versionsAfter.all(tid, oid, limit).map(([oid, tid, data]) => ({ oid, tid, data }))
  }

  newestData(oid: Oid): Uint8Array | undefined {
    return this.#newestData.get(oid)?.[0] ?? undefined
  }

  /** Oldest first. */
  versionsOf(oid: Oid): VersionRow[] {
    return this.#versionsOf.all(oid).map(([id, tid, length]) => ({ id, tid, bytes: length ?? undefined }))
  }

  deleteVersion(id: number): void {
    this.#deleteVersion.run(id)
  }

  /** Those before `tid`, at most `limit`. Returns how many there were. */
  deleteTransactions(tid: Tid, limit: number): number {
    return this.#deleteTransactions.run(tid, limit)
  }
}

import type { Oid, Tid } from '../../core/oid.js'
import { checksumOf } from './checksum.js'
import { bytes, integer, type SqliteConnection, type SqliteStatement, textOf } from './engine.js'

/** What is known of the newest transaction. */
export interface NewestTransaction {
  readonly tid: Tid
  /** In ms since 1970. */
  readonly time: number
  /** How many objects there are after it. */
  readonly objects: number
  /** Of all versions that are kept. */
  readonly totalBytes: number
}

/** What a transaction says of itself. */
export interface Remarks {
  readonly user: string
  readonly note: string
  readonly token: Uint8Array | undefined
  readonly bytes: number
  /** It has only removed objects. */
  readonly packed: boolean
}

/** The newest version of an object. */
export interface NewestVersion {
  readonly tid: Tid
  readonly className: string
  readonly removed: boolean
}

/** What the connection that writes asks and changes. */
export class WriterStatements {
  readonly #connection: SqliteConnection
  readonly #insertRecord: SqliteStatement
  readonly #insertTransaction: SqliteStatement
  readonly #updateTotal: SqliteStatement
  readonly #newestVersion: SqliteStatement<[number, Uint8Array, number]>
  readonly #removalsAfter: SqliteStatement<[number, number]>
  readonly #freePages: SqliteStatement<[number]>

  constructor(connection: SqliteConnection) {
    this.#connection = connection
    this.#insertRecord = connection.prepare(
      'insert into records (oid, tid, class, checksum, data) values (?, ?, ?, ?, ?)',
    )
    this.#insertTransaction = connection.prepare(
      `insert into transactions (tid, time, user, note, token, bytes, packed, objects, total_bytes)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#updateTotal = connection.prepare('update transactions set total_bytes = ? where tid = ?')
    this.#newestVersion = connection.prepare(
      `select ${integer('tid')}, ${bytes('class')}, data is null from records where oid = ? order by tid desc limit 1`,
    )
    this.#removalsAfter = connection.prepare(
      `select ${integer('oid')}, ${integer('tid')} from records where tid > ? and data is null`,
    )
    this.#freePages = connection.prepare(`select ${integer('freelist_count')} from pragma_freelist_count`)
  }

  newestTransaction(): NewestTransaction {
    const columns = ['tid', 'time', 'objects', 'total_bytes'].map(integer).join()
    const row = this.#connection
      .prepare<[number, number, number, number]>(`select ${columns} from transactions order by tid desc limit 1`)
      .get()
    if (row === undefined) return { tid: 0, time: 0, objects: 0, totalBytes: 0 }
    const [tid, time, objects, totalBytes] = row
    return { tid, time, objects, totalBytes }
  }

  /** @param data undefined of an object that is removed */
  insertRecord(oid: Oid, tid: Tid, className: string, data: Uint8Array | undefined): void {
    const checksum = data === undefined ? 0 : checksumOf(oid, tid, data)
    this.#insertRecord.run(oid, tid, className, checksum, data ?? null)
  }

  insertTransaction(
    { tid, time, objects, totalBytes }: NewestTransaction,
    { user, note, token, bytes, packed }: Remarks,
  ): void {
    this.#insertTransaction.run(tid, time, user, note, token ?? null, bytes, packed ? 1 : 0, objects, totalBytes)
  }

  updateTotal(tid: Tid, totalBytes: number): void {
    this.#updateTotal.run(totalBytes, tid)
  }

  newestVersion(oid: Oid): NewestVersion | undefined {
    const row = this.#newestVersion.get(oid)
    if (row === undefined) return undefined
    const [tid, className, removed] = row
    return { tid, className: textOf(className), removed: removed !== 0 }
  }

  /** What packs have removed in transactions after `tid`. */
  *removalsAfter(tid: Tid): Generator<{ readonly oid: Oid; readonly tid: Tid }> {
    for (const [oid, removedBy] of this.#removalsAfter.all(tid)) yield { oid, tid: removedBy }
  }

  freePages(): number {
    return this.#freePages.get()?.[0] ?? 0
  }

  /** Gives up to so many free pages back to the file system. */
  giveBack(pages: number): void {
    this.#connection.exec(`pragma incremental_vacuum(${pages})`)
  }

  /** Moves what stands in the WAL to the file, as far as no reader is in the way. */
  checkpoint(): void {
    this.#connection.prepare('pragma wal_checkpoint(truncate)').get()
  }
}

import type { MessagePort } from 'node:worker_threads'
import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type {
  Capability,
  CommitRequest,
  CommitResult,
  PackOptions,
  PackResult,
  PointInTime,
  Snapshot,
  Storage,
  StorageStatistics,
  TransactionInfo,
  TransactionRange,
  VerifyOptions,
  VerifyReport,
} from '../core/storage.js'
import { MAX_RECORD_BYTES } from '../journal/format.js'
import { WorkerPool } from '../workers/pool.js'
import { checkCount, checkRequest } from './check-request.js'
import type { SqliteBackend } from './sqlite/backend.js'
import { backUpDatabase, type SqliteBackupOptions, type SqliteBackupResult } from './sqlite/backup.js'
import { listTransactions } from './sqlite/history.js'
import { SqlitePacker } from './sqlite/packer.js'
import { ReadonlyBackend } from './sqlite/readonly-backend.js'
import { FORMAT_VERSION } from './sqlite/schema.js'
import { AttachedBackend, OwnerBackend } from './sqlite/shared-backend.js'
import { type HandleState, SqliteSnapshot } from './sqlite/snapshot.js'
import type { WriterStarter } from './sqlite/writer-thread.js'
import type { SqliteHandle } from './sqlite-handle.js'
import { checkSqliteOptions, type SqliteStorageOptions } from './sqlite-options.js'

export type { SqliteBackupOptions, SqliteBackupResult } from './sqlite/backup.js'
export type { SqliteStorageOptions } from './sqlite-options.js'

/**
 * A storage in an SQLite database, whose tables people can read with other tools: see docs/sqlite.md.
 *
 * Commits are written by a thread of its own; loads read the file in the calling thread.
 */
export class SqliteStorage implements Storage {
  readonly kind = 'sqlite'
  readonly location: string
  readonly serializer: string
  readonly capabilities: ReadonlySet<Capability>
  readonly readonly: boolean
  /** Which database it is, in hexadecimal digits. Copies of the file have it too. */
  readonly databaseId: string

  readonly #backend: SqliteBackend
  readonly #pool = new WorkerPool()
  readonly #handle: HandleState = { closed: false, loads: 0 }
  readonly #packer: SqlitePacker
  #closing: Promise<void> | undefined

  private constructor(backend: SqliteBackend) {
    this.#backend = backend
    this.location = backend.path
    this.serializer = backend.serializer
    this.databaseId = backend.databaseId
    this.readonly = backend instanceof ReadonlyBackend
    this.capabilities = capabilitiesOf(backend)
    this.#packer = new SqlitePacker(backend)
  }

  /**
   * Opens a database, or creates it.
   *
   * @param path undefined for a temporary database that is removed when it is closed
   * @param startWriter for tests only: starts the thread that writes
   * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_NOT_FOUND`, `PERDURE_LOCKED`, `PERDURE_NOT_A_DATABASE`,
   *   `PERDURE_FORMAT_VERSION`, `PERDURE_SERIALIZER`, `PERDURE_CORRUPTION`, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`,
   *   `PERDURE_IO`, `PERDURE_THREAD`; `PERDURE_UNSUPPORTED` if there is no SQLite, with the line that installs it
   */
  static async open(
    path?: string,
    options: SqliteStorageOptions = {},
    startWriter?: WriterStarter,
  ): Promise<SqliteStorage> {
    const settings = checkSqliteOptions(options)
    if (!settings.readonly) return new SqliteStorage(await OwnerBackend.open(path, settings, startWriter))
    if (path === undefined) {
      throw new PerdureError('PERDURE_ARGUMENT', 'A temporary database cannot be readonly. Give a path.')
    }
    return new SqliteStorage(await ReadonlyBackend.open(path, settings))
  }

  /** Opens, in another thread of the process, a storage that was {@link share}d. */
  static async attach(handle: SqliteHandle): Promise<SqliteStorage> {
    return new SqliteStorage(
      handle.kind === 'sqlite-writable'
        ? await AttachedBackend.open(handle)
        : await ReadonlyBackend.open(handle.path, handle.settings),
    )
  }

  /** A handle for one other thread, to be sent to it with the transfer list. */
  share(): { handle: SqliteHandle; transferList: MessagePort[] } {
    this.#assertOpen()
    const handle = this.#backend.share()
    return { handle, transferList: handle.kind === 'sqlite-writable' ? [handle.writer.port] : [] }
  }

  snapshot(): Snapshot {
    this.#assertOpen()
    const view = this.#backend.newest()
    return new SqliteSnapshot(view, view.tid, this.#handle)
  }

  async snapshotAt(at: PointInTime): Promise<Snapshot> {
    this.#assertOpen()
    const view = this.#backend.at(at)
    return new SqliteSnapshot(view, view.tid, this.#handle)
  }

  transactions(range: TransactionRange = {}): AsyncIterable<TransactionInfo> {
    this.#assertOpen()
    return this.#transactions(range, this.#backend.figures().tid)
  }

  async *#transactions(range: TransactionRange, newest: Tid): AsyncGenerator<TransactionInfo> {
    this.#assertOpen()
    yield* listTransactions(this.#backend.whole(), range, newest, this.#handle)
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    this.#assertOpen()
    return this.#backend.changes(after, upTo)
  }

  allocateOids(count: number): Oid {
    this.#assertOpen()
    checkCount(count)
    return this.#backend.allocateOids(count)
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    this.#assertOpen()
    checkRequest(request)
    const tooLong = request.writes.find(({ data }) => data.length > MAX_RECORD_BYTES)
    if (tooLong !== undefined) {
      throw new PerdureError(
        'PERDURE_RECORD_TOO_LARGE',
        `Object ${tooLong.oid} takes ${tooLong.data.length} bytes; at most ${MAX_RECORD_BYTES} can be stored. Divide it into several objects.`,
        { details: { oid: tooLong.oid } },
      )
    }
    return this.#backend.commit(request)
  }

  /**
   * Packs the database in place. Only the handle that opened it for writing can.
   *
   * @throws PerdureError as said at {@link Storage.pack}, and `PERDURE_ARGUMENT`; `PERDURE_CORRUPTION` if something that
   *   would have to be kept is damaged; `PERDURE_UNSUPPORTED` for `keepOld`
   */
  async pack(options: PackOptions = {}): Promise<PackResult> {
    this.#assertOpen()
    return this.#packer.pack(options)
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertOpen()
    options.signal?.throwIfAborted()
    // Loaded only when it is needed.
    const { verifyDatabase } = await import('./sqlite/verifier.js')
    return verifyDatabase(this.#backend, this.#pool, options, () => this.#assertOpen())
  }

  /**
   * Writes a copy of the database as it is now, while commits go on, to a file of its own: it can be opened as it is.
   *
   * @param path where there is no file yet; until the copy is whole, there is none
   * @throws PerdureError `PERDURE_ARGUMENT` if there is a file, `PERDURE_NO_SPACE`, `PERDURE_PERMISSION`, `PERDURE_IO`,
   *   `PERDURE_CORRUPTION`, `PERDURE_THREAD`; the reason of `options.signal`
   */
  async backup(path: string, options: SqliteBackupOptions = {}): Promise<SqliteBackupResult> {
    this.#assertOpen()
    return backUpDatabase(this.#backend, path, options)
  }

  statistics(): StorageStatistics {
    this.#assertOpen()
    return {
      formatVersion: FORMAT_VERSION,
      loads: this.#handle.loads,
      ...this.#backend.figures(),
      packs: this.#packer.packs,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    try {
      await this.#packer.cancel()
      await this.#pool.close()
      await this.#backend.close()
    } finally {
      this.#handle.closed = true
    }
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    throw new PerdureError('PERDURE_CLOSED', `${this.location} has been closed.`, { details: { path: this.location } })
  }
}

function capabilitiesOf(backend: SqliteBackend): ReadonlySet<Capability> {
  const capabilities = new Set<Capability>(['durable', 'history', 'readers', 'verify'])
  if (!backend.temporary) capabilities.add('persistent')
  if (!(backend instanceof AttachedBackend)) capabilities.add('threads')
  if (!(backend instanceof ReadonlyBackend)) capabilities.add('restore')
  if (backend instanceof OwnerBackend) capabilities.add('pack')
  return capabilities
}

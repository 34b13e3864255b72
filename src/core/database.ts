import type { PersistentClass } from './class-info.js'
import type { ClassRegistry } from './class-registry.js'
import { Connection, type ConnectionContext } from './connection.js'
import type { CommitOptions, ConnectionOptions } from './connection-options.js'
import { ConnectionPool } from './connection-pool.js'
import { type ClassCensus, census } from './diagnostics/census.js'
import { largest } from './diagnostics/largest.js'
import type { ObjectSummary } from './diagnostics/object-summary.js'
import { referrers } from './diagnostics/referrers.js'
import type { DiagnosticOptions } from './diagnostics/scan-storage.js'
import { UnreachableObjects } from './diagnostics/unreachable.js'
import { ConflictError, PerdureError } from './errors.js'
import { type Oid, ROOT_OID, type Tid } from './oid.js'
import { OidAllocator } from './oid-allocator.js'
import type { PackSchedule } from './pack-schedule.js'
import type { Persistent } from './persistent.js'
import type { Serializer } from './serializer.js'
import type {
  PackOptions,
  PackResult,
  PointInTime,
  SharedStorage,
  Snapshot,
  Storage,
  StorageStatistics,
  TransactionInfo,
  TransactionRange,
  VerifyOptions,
  VerifyReport,
} from './storage.js'
import { runTransaction, type TransactOptions } from './transact.js'
import { undoTransaction } from './undo.js'

/** What a database is made of; see src/open.ts. */
export interface DatabaseParts {
  readonly storage: Storage
  readonly serializer: Serializer
  readonly classes: ClassRegistry
  /** Makes the root object of a new database. Undefined: it is left without one. */
  readonly createRoot: (() => Persistent) | undefined
  /** For connections whose own options do not say otherwise. */
  readonly connectionOptions: ConnectionOptions
  /** Packs the storage until the database is closed. */
  readonly schedule?: PackSchedule | undefined
}

/**
 * An open database. Made by `open()`.
 *
 * `Root` is the type of the root object.
 */
export class Database<Root extends object = Persistent> {
  readonly #parts: DatabaseParts
  readonly #context: ConnectionContext
  readonly #open = new Set<Connection>()
  readonly #pool = new ConnectionPool<Root>((options) => this.#connect(options))
  #closing: Promise<void> | undefined

  /** Use `open()`, or {@link Database.start}, which also makes the root. */
  private constructor(parts: DatabaseParts) {
    this.#parts = parts
    const oids = new OidAllocator(parts.storage)
    this.#context = {
      storage: parts.storage,
      serializer: parts.serializer,
      classes: parts.classes,
      allocateOid: () => oids.next(),
      connectAt: (tid) => this.at(tid),
      onClose: (connection) => this.#open.delete(connection),
    }
  }

  /** Starts a database on an open storage. If the storage is empty and can be written to, the root object is committed. */
  static async start<Root extends object>(parts: DatabaseParts): Promise<Database<Root>> {
    const database = new Database<Root>(parts)
    await database.#createRoot()
    return database
  }

  get storage(): Storage {
    return this.#parts.storage
  }

  get readonly(): boolean {
    return this.#parts.storage.readonly
  }

  /** Name of the serializer that was chosen when the database was created. */
  get serializer(): string {
    return this.#parts.serializer.name
  }

  /** A new connection, to be closed by the caller. */
  async connect(options: ConnectionOptions = {}): Promise<Connection<Root>> {
    return this.#connect(options)
  }

  /**
   * A readonly connection to the past, to be closed by the caller: as long as it is open it reads everything as it was
   * then.
   *
   * @param at a transaction, or a time: then the last transaction that is not later
   * @throws PerdureError `PERDURE_HISTORY` if it is further back than history goes; `PERDURE_ARGUMENT` for a transaction
   *   that is still to come; `PERDURE_UNSUPPORTED` if the storage keeps no history
   */
  async at(at: PointInTime, options: Pick<ConnectionOptions, 'cacheSize'> = {}): Promise<Connection<Root>> {
    this.#checkOpen()
    const snapshot = await this.#parts.storage.snapshotAt(at)
    try {
      return this.#connect(options, snapshot)
    } catch (error) {
      snapshot.release()
      throw error
    }
  }

  /**
   * Past transactions, oldest first unless asked otherwise.
   *
   * ```ts
   * for await (const { time, note, oids } of db.history({ from: yesterday })) console.log(time, note, oids.length)
   * ```
   *
   * @throws PerdureError `PERDURE_HISTORY` if `from` is further back than history goes; `PERDURE_UNSUPPORTED` if the
   *   storage keeps no history; both when the iteration begins
   */
  history(range?: TransactionRange): AsyncIterable<TransactionInfo> {
    this.#checkOpen()
    return this.#parts.storage.transactions(range)
  }

  /**
   * Takes back one transaction, by another one: every object that it changed becomes what it was before. Nothing else
   * is touched, so that is only possible as long as none of these objects has been changed since. Objects that the
   * transaction made stay as they are, but what it changed no longer refers to them.
   *
   * @returns the tid of the new transaction; if there was nothing to take back, that of the newest one
   * @throws ConflictError (`PERDURE_CONFLICT`) naming the objects that have been changed since, and by which transaction
   * @throws PerdureError `PERDURE_ARGUMENT` for the first transaction, and for one that does not exist;
   *   `PERDURE_HISTORY` if it is further back than history goes; `PERDURE_UNSUPPORTED` if the storage keeps no history;
   *   and those of {@link Storage.commit}
   */
  async undo(tid: Tid, options: CommitOptions = {}): Promise<Tid> {
    this.#checkOpen()
    return undoTransaction(this.#parts.storage, tid, options)
  }

  /**
   * Runs `work` in a transaction on a connection of its own, and commits. If the commit conflicts with another one, or
   * if the connection to the server is lost and nothing was stored, everything is dropped and `work` runs again, after a
   * short random wait that grows with each time. If `work` has committed a part itself by then, it does not run again.
   *
   * Objects must not be used after `work` has returned: the connection is then given to others.
   *
   * @param work is given the root object and the connection; what it returns is what `transact` returns
   * @throws ConflictError (`PERDURE_CONFLICT`) when it still conflicts after all retries, or must not run again;
   *   whatever `work` throws (nothing is stored then); and what {@link Connection.commit} throws
   */
  async transact<T>(
    work: (root: Root, connection: Connection<Root>) => T | Promise<T>,
    options: TransactOptions = {},
  ): Promise<T> {
    this.#checkOpen()
    const { retries, note, user, ...connectionOptions } = options
    const remarks = { ...(note !== undefined && { note }), ...(user !== undefined && { user }) }
    return this.#pool.borrow(connectionOptions, (connection) => runTransaction(connection, work, remarks, retries))
  }

  /** Runs `work` at one snapshot, on a connection of its own that refuses changes. Never conflicts, never waits for writers. */
  async view<T>(
    work: (root: Root, connection: Connection<Root>) => T | Promise<T>,
    options: ConnectionOptions = {},
  ): Promise<T> {
    this.#checkOpen()
    return this.#pool.borrow({ ...options, readonly: true }, async (connection) => work(connection.root, connection))
  }

  /**
   * Makes a class known to this database.
   *
   * @throws PerdureError `PERDURE_CLASS` if it does not extend Persistent or another class has its name
   */
  registerClass(type: PersistentClass): void {
    this.#parts.classes.register(type)
  }

  /**
   * Removes what cannot be reached from the root.
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` if the storage cannot
   */
  async pack(options?: PackOptions): Promise<PackResult> {
    this.#checkOpen()
    return this.#parts.storage.pack(options)
  }

  /**
   * Checks every object. See {@link Storage.verify}.
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` if the storage cannot
   */
  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    this.#checkOpen()
    return this.#parts.storage.verify(options)
  }

  /** How many objects there are of each class, and what they take; that which takes most comes first. See {@link census}. */
  async census(options?: DiagnosticOptions): Promise<ClassCensus[]> {
    this.#checkOpen()
    return census(this.#parts.storage, options)
  }

  /** The `count` objects with the largest records, the largest first. See {@link largest}. */
  async largest(count: number, options?: DiagnosticOptions): Promise<ObjectSummary[]> {
    this.#checkOpen()
    return largest(this.#parts.storage, count, options)
  }

  /** The objects that refer to an object, given as they are found. See {@link referrers}. */
  referrers(oid: Oid, options?: DiagnosticOptions): AsyncGenerator<ObjectSummary, void> {
    this.#checkOpen()
    return referrers(this.#parts.storage, oid, options)
  }

  /** What a pack would remove. See {@link UnreachableObjects}. */
  unreachable(options?: DiagnosticOptions): UnreachableObjects {
    this.#checkOpen()
    return new UnreachableObjects(this.#parts.storage, options)
  }

  /**
   * A handle with which another thread opens the same database:
   *
   * ```ts
   * const { handle, transferList } = db.share()
   * new Worker(url, { workerData: handle, transferList })   // there: await open(workerData, { classes })
   * ```
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` if the storage cannot be shared
   */
  share(): SharedStorage {
    this.#checkOpen()
    return this.#parts.storage.share()
  }

  get statistics(): StorageStatistics {
    return this.#parts.storage.statistics()
  }

  /** Closes every connection, after the commits under way, and the storage. May be called more than once. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    this.#pool.close()
    await this.#parts.schedule?.stop()
    await Promise.all([...this.#open].map((connection) => connection.close()))
    await this.#parts.storage.close()
  }

  async #createRoot(): Promise<void> {
    const { storage, createRoot } = this.#parts
    if (storage.readonly || createRoot === undefined) return
    const snapshot = storage.snapshot()
    const exists = snapshot.load(ROOT_OID) !== undefined
    snapshot.release()
    if (exists) return
    await using connection = this.#connect({})
    try {
      await connection.createRoot(createRoot())
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof ConflictError)) throw error
    }
  }

  #connect(options: ConnectionOptions, past?: Snapshot): Connection<Root> {
    this.#checkOpen()
    const connection = new Connection<Root>(this.#context, { ...this.#parts.connectionOptions, ...options }, past)
    this.#open.add(connection as unknown as Connection)
    return connection
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new PerdureError('PERDURE_CLOSED', `The database ${this.#parts.storage.location} has been closed.`, {
        details: { path: this.#parts.storage.location },
      })
    }
  }
}

import type { PersistentClass } from './class-info.js'
import type { ClassRegistry } from './class-registry.js'
import { Connection, type ConnectionContext } from './connection.js'
import type { CommitOptions, ConnectionOptions } from './connection-options.js'
import { ConflictError, PerdureError } from './errors.js'
import { ROOT_OID } from './oid.js'
import { OidAllocator } from './oid-allocator.js'
import type { Persistent } from './persistent.js'
import type { Serializer } from './serializer.js'
import type {
  PackOptions,
  PackResult,
  SharedStorage,
  Storage,
  StorageStatistics,
  VerifyOptions,
  VerifyReport,
} from './storage.js'

/** What a database is made of; see src/open.ts. */
export interface DatabaseParts {
  readonly storage: Storage
  readonly serializer: Serializer
  readonly classes: ClassRegistry
  /** Makes the root object of a new database. */
  createRoot(): Persistent
  /** For connections whose own options do not say otherwise. */
  readonly connectionOptions: ConnectionOptions
}

/** Options of {@link Database.transact}. */
export interface TransactOptions extends ConnectionOptions, CommitOptions {
  /** How often to run the function again after a conflict, or when the connection to the server was lost; 10 unless given. */
  readonly retries?: number
}

const DEFAULT_RETRIES = 10

/** The first wait after a conflict is at most this long, in ms; it doubles with each further one. */
const FIRST_BACKOFF_MS = 2
const LONGEST_BACKOFF_MS = 250

/** Connections kept for reuse by `transact` and `view`, with their caches. */
const MAX_IDLE = 8

/**
 * An open database. Made by `open()`.
 *
 * `Root` is the type of the root object.
 */
export class Database<Root extends object = Persistent> {
  readonly #parts: DatabaseParts
  readonly #context: ConnectionContext
  readonly #open = new Set<Connection>()
  /** Idle connections of the pool, by the options they were made with. The last one used is the first one taken. */
  readonly #idle: { readonly key: string; readonly connection: Connection<Root> }[] = []
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
   * Runs `work` in a transaction on a connection of its own, and commits. If the commit conflicts with another one, or
   * if the connection to the server is lost and nothing was stored, everything is dropped and `work` runs again, after a
   * short random wait that grows with each time.
   *
   * Objects must not be used after `work` has returned: the connection is then given to others.
   *
   * @param work is given the root object and the connection; what it returns is what `transact` returns
   * @throws ConflictError (`PERDURE_CONFLICT`) when it still conflicts after all retries; whatever `work` throws
   *   (nothing is stored then); and what {@link Connection.commit} throws
   */
  async transact<T>(
    work: (root: Root, connection: Connection<Root>) => T | Promise<T>,
    options: TransactOptions = {},
  ): Promise<T> {
    const { retries = DEFAULT_RETRIES, note, user, ...connectionOptions } = options
    const remarks = { ...(note !== undefined && { note }), ...(user !== undefined && { user }) }
    return this.#borrow(connectionOptions, async (connection) => {
      for (let attempt = 0; ; attempt++) {
        try {
          const result = await work(connection.root, connection)
          await connection.commit(remarks)
          return result
        } catch (error) {
          if (!mayHelpToRepeat(error) || !(attempt < retries)) throw error
          connection.abort()
          await backOff(attempt)
        }
      }
    })
  }

  /** Runs `work` at one snapshot, on a connection of its own that refuses changes. Never conflicts, never waits for writers. */
  async view<T>(
    work: (root: Root, connection: Connection<Root>) => T | Promise<T>,
    options: ConnectionOptions = {},
  ): Promise<T> {
    return this.#borrow({ ...options, readonly: true }, async (connection) => work(connection.root, connection))
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
    await Promise.all([...this.#open].map((connection) => connection.close()))
    await this.#parts.storage.close()
  }

  async #createRoot(): Promise<void> {
    const { storage } = this.#parts
    if (storage.readonly) return
    const snapshot = storage.snapshot()
    const exists = snapshot.load(ROOT_OID) !== undefined
    snapshot.release()
    if (exists) return
    await using connection = this.#connect({})
    try {
      await connection.createRoot(this.#parts.createRoot())
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof ConflictError)) throw error
    }
  }

  #connect(options: ConnectionOptions): Connection<Root> {
    this.#checkOpen()
    const connection = new Connection<Root>(this.#context, { ...this.#parts.connectionOptions, ...options })
    this.#open.add(connection as unknown as Connection)
    return connection
  }

  async #borrow<T>(options: ConnectionOptions, use: (connection: Connection<Root>) => Promise<T>): Promise<T> {
    this.#checkOpen()
    const key = JSON.stringify([options.cacheSize, options.isolation, options.readonly === true])
    const found = this.#idle.findLastIndex((idle) => idle.key === key)
    const connection =
      found >= 0
        ? (this.#idle.splice(found, 1)[0] as { connection: Connection<Root> }).connection
        : this.#connect(options)
    // Whoever kept an object of the last transaction may have begun one since: an await of the object is enough.
    connection.abort()
    try {
      return await use(connection)
    } finally {
      if (this.#closing === undefined) await this.#giveBack(key, connection)
    }
  }

  async #giveBack(key: string, connection: Connection<Root>): Promise<void> {
    try {
      connection.abort()
    } catch {
      // The function closed the connection, or left a commit of its own under way, which closing waits for.
      await connection.close()
      return
    }
    this.#idle.push({ key, connection })
    if (this.#idle.length > MAX_IDLE) await this.#idle.shift()?.connection.close()
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new PerdureError('PERDURE_CLOSED', `The database ${this.#parts.storage.location} has been closed.`, {
        details: { path: this.#parts.storage.location },
      })
    }
  }
}

/** After these, surely nothing was stored. */
function mayHelpToRepeat(error: unknown): boolean {
  return error instanceof ConflictError || (error instanceof PerdureError && error.code === 'PERDURE_DISCONNECTED')
}

/** Waits a random time whose upper bound doubles with each attempt, so that rivals do not meet again. */
function backOff(attempt: number): Promise<void> {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt)
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest))
}

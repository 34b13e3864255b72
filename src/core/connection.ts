import type { PersistentClass } from './class-info.js'
import {
  type CommitOptions,
  type ConnectionOptions,
  checkCacheSize,
  checkIsolation,
  DEFAULT_CACHE_SIZE,
} from './connection-options.js'
import { crawlObjects, prefetchObjects } from './crawl.js'
import { ConflictError, PerdureError } from './errors.js'
import { type Header, headerOf } from './header.js'
import { type ObjectVersion, type PastConnection, PastVersions } from './object-history.js'
import { writeObjects } from './object-writer.js'
import { type Oid, ROOT_OID, type Tid } from './oid.js'
import type { Persistent } from './persistent.js'
import type { CommitRequest, Snapshot } from './storage.js'
import { resolvePath, valueAt } from './value-path.js'
import { connectionClosed, Workspace, type WorkspaceContext } from './workspace.js'

/** Figures of one connection, since it was made. */
export interface ConnectionStatistics {
  /** Objects whose state was loaded from the storage. */
  readonly loads: number
  /** Transactions that stored something. */
  readonly commits: number
  /** Commits refused because of a conflict. */
  readonly conflicts: number
  readonly aborts: number
  /** Objects held strongly by the cache. */
  readonly cached: number
  /** Objects changed, and not yet committed, by the running transaction. */
  readonly changed: number
}

/** What a database hands to each of its connections. */
export interface ConnectionContext extends WorkspaceContext {
  /** Gives oids one by one, from ranges reserved in the storage. */
  allocateOid(): Oid
  /** A connection to the past. */
  connectAt(tid: Tid): Promise<PastConnection>
  /** Called once, when the connection is closed. */
  onClose(connection: Connection): void
}

/**
 * One thread of work on a database: a cache of objects, and one transaction at a time.
 *
 * A transaction begins with the first access to an object and ends with `commit()` or `abort()`. In between, all
 * reads see one snapshot. Objects belong to the connection that loaded them. Use one connection for each piece of
 * work that goes on concurrently; `db.transact()` does.
 */
export class Connection<Root extends object = Persistent> {
  readonly #context: ConnectionContext
  readonly #objects: Workspace
  readonly #past: PastVersions
  #committing: Promise<Tid> | undefined
  /** Set as soon as `close` is called, so that it waits for no more than the one commit under way. */
  #closing = false
  #commits = 0
  #conflicts = 0
  #aborts = 0

  /**
   * Made by `db.connect()`, or by `db.at()`.
   *
   * @param past what to read for as long as the connection is open, instead of the newest state of each transaction
   * @throws PerdureError `PERDURE_ARGUMENT` if an option is not what it may be
   */
  constructor(context: ConnectionContext, options: ConnectionOptions = {}, past?: Snapshot) {
    this.#context = context
    const cacheSize = checkCacheSize(options.cacheSize ?? DEFAULT_CACHE_SIZE)
    const readonly = options.readonly === true || context.storage.readonly || past !== undefined
    // Reads are of use to nobody unless a commit checks them.
    const notesReads = checkIsolation(options.isolation ?? 'serializable') === 'serializable' && !readonly
    this.#objects = new Workspace(context, { cacheSize, readonly, notesReads, past })
    this.#past = new PastVersions((tid) => context.connectAt(tid))
  }

  /** The object from which all others are reached: a PersistentMap, unless the database was made otherwise. */
  get root(): Root {
    const root = this.get(ROOT_OID)
    if (root === undefined) {
      throw new PerdureError('PERDURE_OBJECT_MISSING', `${this.#context.storage.location} has no root object.`, {
        details: { oid: ROOT_OID },
      })
    }
    return root as Root
  }

  /** The object with this oid, or undefined if there is none at this connection's snapshot. */
  get(oid: Oid): Persistent | undefined {
    return this.#objects.find(oid) as Persistent | undefined
  }

  /**
   * The value at a path of keys, indexes and names of fields from the root, such as `/accounts/ada/tags/0`. `%2F` stands
   * for a slash within a key.
   *
   * @throws PerdureError `PERDURE_NOT_FOUND` that says how far the path leads
   */
  find(path: string): unknown {
    return valueAt(this.root, path)
  }

  /** How many objects the cache holds strongly. Can be changed at any time. */
  get cacheSize(): number {
    return this.#objects.cache.capacity
  }

  set cacheSize(size: number) {
    this.#objects.cache.capacity = checkCacheSize(size)
  }

  /** The transaction as of which this connection reads. Begins a transaction if none is running. */
  get tid(): Tid {
    return this.#objects.begin().tid
  }

  get statistics(): ConnectionStatistics {
    return {
      loads: this.#objects.loads,
      commits: this.#commits,
      conflicts: this.#conflicts,
      aborts: this.#aborts,
      cached: this.#objects.cache.size,
      changed: this.#objects.changes.size,
    }
  }

  /**
   * Stores every change of the running transaction, atomically, and begins the next one. The changes are captured
   * at the moment of the call; until the promise settles, changing an object of this connection throws `PERDURE_BUSY`.
   * Without changes nothing is checked and nothing waits.
   *
   * When it rejects, the changes are still there, and not stored: call `abort()` to drop them.
   *
   * @returns the transaction's tid; without changes, that of the snapshot that was read
   * @throws ConflictError (`PERDURE_CONFLICT`) if objects read or written were changed by others meanwhile
   * @throws PerdureError `PERDURE_UNSTORABLE`, `PERDURE_FOREIGN_OBJECT`, `PERDURE_CLASS`: nothing was sent;
   *   `PERDURE_BUSY` while another commit is under way; and those of {@link Storage.commit}
   */
  async commit(options: CommitOptions = {}): Promise<Tid> {
    const objects = this.#objects
    objects.checkOpen()
    if (this.#closing) throw connectionClosed()
    objects.changes.checkSettled('commit again')
    if (objects.changes.size === 0) {
      const { tid } = objects
      this.#end()
      return tid
    }
    const base = objects.begin().tid
    const request = { ...options, base, ...this.#capture() }
    this.#committing = this.#send(request)
    return this.#committing
  }

  /** Stores the root object of a new database. Used by the database itself. */
  async createRoot(root: Persistent): Promise<Tid> {
    this.#objects.begin()
    const header = headerOf(root) as Header
    header.oid = ROOT_OID
    header.owner = this.#objects
    this.#objects.changes.addNew([header])
    return this.commit({ note: 'database created' })
  }

  /** Drops every change of the running transaction and begins the next one. New objects that were not stored keep their state. */
  abort(): void {
    const objects = this.#objects
    objects.checkOpen()
    objects.changes.checkSettled('abort')
    if (objects.isRunning) this.#aborts++
    objects.changes.discard()
    this.#end()
  }

  /**
   * Loads the states of `objects`, and of those within `depth` references from them, without blocking the thread.
   * Objects that are already loaded cost nothing. What is loaded is not counted as read until it is accessed. Stops
   * early if the transaction is ended meanwhile: what it would go on to load would be out of date.
   *
   * @param from objects of this connection, or a path from the root (`'/accounts/ada'`)
   * @returns how many objects were loaded
   */
  async prefetch(from: Iterable<object> | string, options: { readonly depth?: number } = {}): Promise<number> {
    const objects = typeof from === 'string' ? [resolvePath(this.root, from)] : [...from]
    const oids = objects.map((object) => this.#ownHeader(object).oid)
    this.#objects.begin()
    return prefetchObjects(this.#objects, oids, options.depth ?? 0)
  }

  /**
   * Every stored object that can be reached, breadth-first from the root or from `start`, loaded ahead in batches.
   * Sees the snapshot of the running transaction; ends with an error if that transaction is ended meanwhile.
   */
  crawl(start?: Iterable<object>): AsyncGenerator<Persistent, void, undefined> {
    const begin = () => {
      const oids = start === undefined ? [ROOT_OID] : [...start].map((object) => this.#ownHeader(object).oid)
      this.#objects.begin()
      return oids
    }
    // Handed on as it is: a generator around it would cost two more promises for each object.
    return crawlObjects(this.#objects, begin, () => true) as AsyncGenerator<Persistent, void, undefined>
  }

  /** Every stored instance of `type`, or of a registered class that extends it, that can be reached from the root. */
  instancesOf<T extends Persistent>(type: PersistentClass<T>): AsyncGenerator<T, void, undefined> {
    let names: ReadonlySet<string>
    const begin = () => {
      names = this.#context.classes.namesUnder(type)
      this.#objects.begin()
      return [ROOT_OID]
    }
    const wanted = (className: string) => names.has(className)
    return crawlObjects(this.#objects, begin, wanted) as AsyncGenerator<T, void, undefined>
  }

  /**
   * The versions of an object, from the one that this connection sees back to the first that is kept.
   *
   * ```ts
   * for await (const { time, user, load } of connection.history(ada)) console.log(time, user, (await load()).balance)
   * ```
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` if the storage keeps no history, `PERDURE_CORRUPTION`
   */
  async *history<T extends object>(object: T): AsyncGenerator<ObjectVersion<T>, void, undefined> {
    const { oid } = this.#ownHeader(object)
    const { tid: to } = this.#objects.begin()
    this.#objects.noteRead(oid)
    for await (const version of this.#context.storage.transactions({ oid, to, newestFirst: true })) {
      const { tid, time, note, user } = version
      yield { tid, time, note, user, load: () => this.#past.load(oid, tid) as Promise<T> }
    }
  }

  /** Waits for the commit under way, drops changes that were not committed, and gives up the cache. May be called more than once. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#committing?.catch(() => undefined)
    if (this.#objects.isClosed) return
    this.abort()
    this.#objects.close()
    this.#context.onClose(this as unknown as Connection)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Encodes the changes, after which nothing that the program does can alter what is committed. */
  #capture(): Pick<CommitRequest, 'reads' | 'writes'> {
    const { cache, changes } = this.#objects
    const context = { ...this.#context, owner: this.#objects, root: cache.find(ROOT_OID) }
    const { writes, added } = writeObjects(context, changes.headers)
    changes.addNew(added)
    // Only now: walking the states may have noted further reads.
    return { reads: this.#objects.reads(), writes }
  }

  async #send(request: CommitRequest): Promise<Tid> {
    const objects = this.#objects
    objects.changes.send()
    try {
      const { conflicts, tid } = await this.#context.storage.commit(request)
      if (conflicts !== undefined) throw new ConflictError(request.base, conflicts)
      this.#commits++
      objects.committed(request.base, tid)
      this.#past.release()
      return tid
    } catch (error) {
      if (error instanceof ConflictError) this.#conflicts++
      objects.changes.refused()
      throw error
    }
  }

  #end(): void {
    this.#objects.end()
    this.#past.release()
  }

  #ownHeader(object: object): Header {
    const header = headerOf(object)
    if (header?.owner === this.#objects) return header
    throw new PerdureError('PERDURE_ARGUMENT', 'Only persistent objects of this connection can be loaded by it.')
  }
}

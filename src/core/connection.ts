import type { PersistentClass } from './class-info.js'
import type { ClassRegistry } from './class-registry.js'
import { type CrawlSource, crawlObjects, prefetchObjects } from './crawl.js'
import { ConflictError, PerdureError } from './errors.js'
import { type Header, headerOf, type ObjectOwner } from './header.js'
import { LiveObjects } from './live-objects.js'
import { discardState, ObjectCache } from './object-cache.js'
import { resolvePath } from './object-path.js'
import { ObjectReader } from './object-reader.js'
import { disown, writeObjects } from './object-writer.js'
import { type Oid, ROOT_OID, type Tid } from './oid.js'
import { instantiate, type Persistent } from './persistent.js'
import { ReadList } from './read-list.js'
import { recordClassName } from './record.js'
import { Reference } from './reference.js'
import type { Serializer } from './serializer.js'
import type { CommitRequest, Snapshot, Storage, StoredRecord } from './storage.js'

/**
 * What a commit checks before it goes through.
 *
 * - `serializable`: nothing that the transaction read or wrote has been changed by others since its snapshot.
 * - `snapshot`: only what it wrote. Two transactions that each read what the other writes can then both succeed (write skew).
 */
export type Isolation = 'serializable' | 'snapshot'

/** Options of one connection. */
export interface ConnectionOptions {
  /** How many objects the cache holds strongly; 20,000 unless given. Others are kept only as long as the program uses them. */
  readonly cacheSize?: number | undefined
  /** `serializable` unless given. */
  readonly isolation?: Isolation | undefined
  /** Refuses every change with `PERDURE_READONLY`. */
  readonly readonly?: boolean | undefined
}

/** Options of one commit. */
export interface CommitOptions {
  /** A remark kept with the transaction, at most 65,535 bytes of UTF-8. */
  readonly note?: string
}

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
export interface ConnectionContext {
  readonly storage: Storage
  readonly serializer: Serializer
  readonly classes: ClassRegistry
  /** Gives oids one by one, from ranges reserved in the storage. */
  allocateOid(): Oid
  /** Called once, when the connection is closed. */
  onClose(connection: Connection): void
}

const DEFAULT_CACHE_SIZE = 20_000

type Phase = 'idle' | 'reading' | 'committing' | 'closed'

/**
 * One thread of work on a database: a cache of objects, and one transaction at a time.
 *
 * A transaction begins with the first access to an object and ends with `commit()` or `abort()`. In between, all
 * reads see one snapshot. Objects belong to the connection that loaded them. Use one connection for each piece of
 * work that goes on concurrently; `db.transact()` does.
 */
export class Connection<Root extends object = Persistent> {
  readonly #context: ConnectionContext
  readonly #cache: ObjectCache
  readonly #reader: ObjectReader
  readonly #owner: ObjectOwner
  readonly #live = new LiveObjects()
  readonly #crawlSource: CrawlSource
  readonly #readonly: boolean
  readonly #notesReads: boolean
  readonly #reads = new ReadList()
  #changed = new Set<Header>()
  /** Objects that the commit under way stores for the first time. If it fails, they are nobody's again. */
  #added: readonly Header[] = []
  #snapshot: Snapshot | undefined
  /** The transaction as of which every state in the cache is current, apart from the changed ones. */
  #cacheTid: Tid
  #phase: Phase = 'idle'
  /** Number of the running transaction, or of the next one. */
  #transaction = 1
  #committing: Promise<Tid> | undefined
  /** Set as soon as `close` is called, so that it waits for no more than the one commit under way. */
  #closing = false
  #loads = 0
  #commits = 0
  #conflicts = 0
  #aborts = 0

  /**
   * Made by `db.connect()`.
   *
   * @throws PerdureError `PERDURE_ARGUMENT` if an option is not what it may be
   */
  constructor(context: ConnectionContext, options: ConnectionOptions = {}) {
    this.#context = context
    this.#cache = new ObjectCache(checkCacheSize(options.cacheSize ?? DEFAULT_CACHE_SIZE))
    this.#reader = new ObjectReader(context.serializer, context.classes)
    this.#readonly = options.readonly === true || context.storage.readonly
    // Reads are of use to nobody unless a commit checks them.
    this.#notesReads = checkIsolation(options.isolation ?? 'serializable') === 'serializable' && !this.#readonly
    this.#cacheTid = 0
    const transaction = () => this.#transaction
    this.#owner = {
      get transaction() {
        return transaction()
      },
      touch: (header) => this.#touch(header),
      willChange: (header) => this.#willChange(header),
      follow: (reference) => this.#follow(reference),
    }
    this.#crawlSource = {
      get transaction() {
        return transaction()
      },
      loadAhead: (oids, number) => this.#loadAhead(oids, number),
      fill: (record) => this.#fill(record),
    }
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
    this.#checkOpen()
    const known = this.#cache.find(oid)
    if (known !== undefined) return known.object as Persistent
    if (!Number.isSafeInteger(oid) || oid < 0) return undefined
    const stored = this.#begin().load(oid)
    if (stored === undefined) {
      // Somebody may store it before this transaction, which acts on its absence, is committed.
      if (this.#notesReads) this.#reads.add(oid)
      return undefined
    }
    return this.#fill(stored).object as Persistent
  }

  /** How many objects the cache holds strongly. Can be changed at any time. */
  get cacheSize(): number {
    return this.#cache.capacity
  }

  set cacheSize(size: number) {
    this.#cache.capacity = checkCacheSize(size)
  }

  /** The transaction as of which this connection reads. Begins a transaction if none is running. */
  get tid(): Tid {
    return this.#begin().tid
  }

  get statistics(): ConnectionStatistics {
    return {
      loads: this.#loads,
      commits: this.#commits,
      conflicts: this.#conflicts,
      aborts: this.#aborts,
      cached: this.#cache.size,
      changed: this.#changed.size,
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
    this.#checkOpen()
    if (this.#closing) throw connectionClosed()
    if (this.#phase === 'committing') throw this.#busy('commit again')
    if (this.#changed.size === 0) {
      const tid = this.#snapshot?.tid ?? this.#cacheTid
      this.#endTransaction()
      return tid
    }
    const base = this.#begin().tid
    const request = { ...options, base, ...this.#capture() }
    this.#committing = this.#send(request)
    return this.#committing
  }

  /** Stores the root object of a new database. Used by the database itself. */
  async createRoot(root: Persistent): Promise<Tid> {
    this.#begin()
    const header = headerOf(root) as Header
    header.oid = ROOT_OID
    header.owner = this.#owner
    this.#changed.add(header)
    this.#added = [header]
    return this.commit({ note: 'database created' })
  }

  /** Drops every change of the running transaction and begins the next one. New objects that were not stored keep their state. */
  abort(): void {
    this.#checkOpen()
    if (this.#phase === 'committing') throw this.#busy('abort')
    if (this.#snapshot !== undefined) this.#aborts++
    for (const header of this.#changed) {
      header.changed = false
      discardState(header)
    }
    this.#changed.clear()
    this.#endTransaction()
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
    this.#begin()
    return prefetchObjects(this.#crawlSource, oids, options.depth ?? 0)
  }

  /**
   * Every stored object that can be reached, breadth-first from the root or from `start`, loaded ahead in batches.
   * Sees the snapshot of the running transaction; ends with an error if that transaction is ended meanwhile.
   */
  async *crawl(start?: Iterable<object>): AsyncGenerator<Persistent, void, undefined> {
    const oids = start === undefined ? [ROOT_OID] : [...start].map((object) => this.#ownHeader(object).oid)
    this.#begin()
    yield* crawlObjects(this.#crawlSource, oids, () => true) as AsyncGenerator<Persistent, void, undefined>
  }

  /** Every stored instance of `type`, or of a registered class that extends it, that can be reached from the root. */
  async *instancesOf<T extends Persistent>(type: PersistentClass<T>): AsyncGenerator<T, void, undefined> {
    const names = this.#context.classes.namesUnder(type)
    this.#begin()
    const wanted = (className: string) => names.has(className)
    yield* crawlObjects(this.#crawlSource, [ROOT_OID], wanted) as AsyncGenerator<T, void, undefined>
  }

  /** Waits for the commit under way, drops changes that were not committed, and gives up the cache. May be called more than once. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#committing?.catch(() => undefined)
    if (this.#phase === 'closed') return
    this.abort()
    this.#phase = 'closed'
    this.#context.onClose(this as unknown as Connection)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Encodes the changes, after which nothing that the program does can alter what is committed. */
  #capture(): Pick<CommitRequest, 'reads' | 'writes'> {
    const { storage: _storage, onClose: _onClose, ...context } = this.#context
    const root = this.#cache.find(ROOT_OID)
    const { writes, added } = writeObjects({ ...context, owner: this.#owner, root }, this.#changed)
    for (const header of added) this.#changed.add(header)
    this.#added = [...this.#added, ...added]
    return { reads: this.#reads.distinct(), writes }
  }

  async #send(request: CommitRequest): Promise<Tid> {
    const committing = this.#changed
    this.#changed = new Set()
    for (const header of committing) {
      header.changed = false
      header.committing = true
    }
    this.#phase = 'committing'
    try {
      const result = await this.#context.storage.commit(request)
      if (result.conflicts !== undefined) throw new ConflictError(request.base, result.conflicts)
      this.#committed(committing, request.base, result.tid)
      return result.tid
    } catch (error) {
      this.#notCommitted(committing, error)
      throw error
    }
  }

  /** Records as of the snapshot of the transaction with this number; undefined if that has ended before they were there. */
  async #loadAhead(oids: readonly Oid[], transaction: number): Promise<(StoredRecord | undefined)[] | undefined> {
    if (this.#transaction !== transaction) return undefined
    try {
      const records = await this.#begin().loadMany(oids)
      return this.#transaction === transaction ? records : undefined
    } catch (error) {
      // The snapshot was released while it was being read.
      if (this.#transaction !== transaction) return undefined
      throw error
    }
  }

  #fill(stored: StoredRecord): { object: object; wasGhost: boolean } {
    const reference = new Reference(stored.oid, recordClassName(stored.data))
    const header = this.#cache.find(stored.oid) ?? (headerOf(this.#follow(reference)) as Header)
    const wasGhost = header.state === undefined
    if (wasGhost) {
      this.#loads++
      this.#reader.fill(header, stored)
      this.#cache.use(header)
    }
    return { object: header.object, wasGhost }
  }

  #touch(header: Header): void {
    const snapshot = this.#begin()
    if (header.state === undefined) {
      const stored = snapshot.load(header.oid)
      if (stored === undefined) {
        const { oid, info } = header
        throw new PerdureError(
          'PERDURE_OBJECT_MISSING',
          `${info.name} ${oid} does not exist at transaction ${snapshot.tid}: it was packed away, or never stored.`,
          { details: { oid, className: info.name } },
        )
      }
      this.#loads++
      this.#reader.fill(header, stored)
    }
    if (this.#notesReads && !header.changed) this.#reads.add(header.oid)
    this.#live.awaken(header)
    this.#cache.use(header)
  }

  #willChange(header: Header): void {
    this.#checkOpen()
    if (this.#phase === 'committing') throw this.#busy(`change ${header.info.name} ${header.oid}`)
    if (this.#readonly) {
      throw new PerdureError(
        'PERDURE_READONLY',
        `Cannot change ${header.info.name} ${header.oid}: the connection is readonly.`,
        {
          details: { oid: header.oid, className: header.info.name },
        },
      )
    }
    header.changed = true
    this.#changed.add(header)
  }

  #follow(reference: Reference): object {
    let header = this.#cache.find(reference.oid)
    if (header === undefined) {
      this.#checkOpen()
      header = instantiate(this.#context.classes.resolve(reference.className))
      header.oid = reference.oid
      header.owner = this.#owner
      this.#cache.add(header)
    }
    header.reference ??= reference
    reference.object = header.object
    return header.object
  }

  /** The running transaction's snapshot; takes one, and forgets what has changed since the last one, if none is running. */
  #begin(): Snapshot {
    if (this.#snapshot !== undefined) return this.#snapshot
    this.#checkOpen()
    const snapshot = this.#context.storage.snapshot()
    this.#invalidate(this.#cacheTid, snapshot.tid)
    this.#cacheTid = snapshot.tid
    this.#snapshot = snapshot
    this.#phase = 'reading'
    return snapshot
  }

  /** Makes ghosts of the objects changed by the transactions after `after`, up to `upTo`. */
  #invalidate(after: Tid, upTo: Tid): void {
    if (after >= upTo || this.#cache.isEmpty) return
    const oids = this.#context.storage.changes(after, upTo)
    if (oids === undefined) this.#cache.invalidateAll()
    else for (const oid of oids) this.#cache.invalidate(oid)
  }

  #committed(committing: Set<Header>, base: Tid, tid: Tid): void {
    this.#commits++
    // What was written is current as of `tid`, and the storage has made sure that nobody else wrote it since `base`.
    this.#invalidate(base, tid - 1)
    this.#cacheTid = tid
    for (const header of committing) header.committing = false
    for (const header of this.#added) {
      header.rest()
      committing.delete(header)
    }
    this.#cache.addAll(this.#added)
    for (const header of committing) this.#cache.use(header)
    this.#added = []
    this.#endTransaction()
  }

  #notCommitted(committing: Set<Header>, error: unknown): void {
    if (error instanceof ConflictError) this.#conflicts++
    for (const header of committing) {
      header.committing = false
      header.changed = true
    }
    for (const header of this.#added) {
      committing.delete(header)
      disown(header)
    }
    this.#added = []
    this.#changed = committing
    if (this.#phase === 'committing') this.#phase = 'reading'
  }

  #endTransaction(): void {
    this.#snapshot?.release()
    this.#snapshot = undefined
    this.#reads.clear()
    this.#live.restAll()
    this.#transaction++
    if (this.#phase !== 'closed') this.#phase = 'idle'
  }

  #ownHeader(object: object): Header {
    const header = headerOf(object)
    if (header?.owner === this.#owner) return header
    throw new PerdureError('PERDURE_ARGUMENT', 'Only persistent objects of this connection can be loaded by it.')
  }

  #busy(what: string): PerdureError {
    return new PerdureError('PERDURE_BUSY', `Cannot ${what} while a commit is under way. Await its promise first.`)
  }

  #checkOpen(): void {
    if (this.#phase === 'closed') throw connectionClosed()
  }
}

function connectionClosed(): PerdureError {
  return new PerdureError('PERDURE_CLOSED', 'This connection has been closed. Get another one from db.connect().')
}

function checkCacheSize(size: number): number {
  if (Number.isInteger(size) && size >= 1) return size
  throw new PerdureError('PERDURE_ARGUMENT', `cacheSize is a number of objects, at least 1, not ${size}.`)
}

function checkIsolation(isolation: Isolation): Isolation {
  if (isolation === 'serializable' || isolation === 'snapshot') return isolation
  throw new PerdureError('PERDURE_ARGUMENT', `isolation is 'serializable' or 'snapshot', not '${String(isolation)}'.`)
}

/** The oid of a stored object, or undefined if it has not been committed yet. */
export function oidOf(object: object): Oid | undefined {
  const header = headerOf(object)
  return header === undefined || header.oid < 0 ? undefined : header.oid
}

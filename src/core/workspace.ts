import { ChangeSet } from './change-set.js'
import type { ClassRegistry } from './class-registry.js'
import type { CrawlSource } from './crawl.js'
import { PerdureError } from './errors.js'
import { type Header, headerOf, type ObjectOwner } from './header.js'
import { LiveObjects } from './live-objects.js'
import { ObjectCache } from './object-cache.js'
import { ObjectReader } from './object-reader.js'
import type { Oid, Tid } from './oid.js'
import { instantiate } from './persistent.js'
import { ReadList } from './read-list.js'
import { type DecodedRecord, decodeRecord } from './record.js'
import { Reference } from './reference.js'
import type { Serializer } from './serializer.js'
import type { Snapshot, Storage, StoredRecord } from './storage.js'

/** Where the objects of a workspace come from. */
export interface WorkspaceContext {
  readonly storage: Storage
  readonly serializer: Serializer
  readonly classes: ClassRegistry
}

/** How a workspace is to work. */
export interface WorkspaceOptions {
  /** How many objects the cache holds strongly. */
  readonly cacheSize: number
  readonly readonly: boolean
  /** Whether a commit checks what the transaction has read. */
  readonly notesReads: boolean
  /** What every transaction reads, instead of a snapshot of its own. Released when the workspace is closed. */
  readonly past?: Snapshot | undefined
}

/**
 * The objects of one connection, as of the snapshot of its running transaction: loads them, and keeps account of what
 * the transaction has read and changed. It goes on from one transaction to the next with the objects that have not
 * been changed in between. For objects it is the owner that their headers ask.
 */
export class Workspace implements ObjectOwner, CrawlSource {
  readonly cache: ObjectCache
  readonly changes = new ChangeSet()
  readonly readonly: boolean
  /** Number of the running transaction, or of the next one. */
  transaction = 1
  readonly #storage: Storage
  readonly #classes: ClassRegistry
  readonly #reader: ObjectReader
  readonly #notesReads: boolean
  readonly #live = new LiveObjects()
  readonly #reads = new ReadList()
  readonly #past: Snapshot | undefined
  #snapshot: Snapshot | undefined
  /** The transaction as of which every state in the cache is current, apart from the changed ones. */
  #cacheTid: Tid = 0
  #loads = 0
  #closed = false

  constructor({ storage, serializer, classes }: WorkspaceContext, options: WorkspaceOptions) {
    this.#storage = storage
    this.#classes = classes
    this.cache = new ObjectCache(options.cacheSize)
    this.#reader = new ObjectReader(serializer, classes)
    this.readonly = options.readonly
    this.#notesReads = options.notesReads
    this.#past = options.past
  }

  /** The running transaction's tid, or, if none is running, that of the last one. */
  get tid(): Tid {
    return this.#snapshot?.tid ?? this.#cacheTid
  }

  /** How many states have been loaded from the storage. */
  get loads(): number {
    return this.#loads
  }

  /** True from the first access to an object until the end of the transaction. */
  get isRunning(): boolean {
    return this.#snapshot !== undefined
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Notes that the transaction depends on the object. */
  noteRead(oid: Oid): void {
    if (this.#notesReads) this.#reads.add(oid)
  }

  /** What the transaction has read, each oid once. */
  reads(): readonly Oid[] {
    return this.#reads.distinct()
  }

  /** The object with this oid, or undefined if there is none in the snapshot. */
  find(oid: Oid): object | undefined {
    this.checkOpen()
    const known = this.cache.find(oid)
    if (known !== undefined) return known.object
    if (!Number.isSafeInteger(oid) || oid < 0) return undefined
    const stored = this.begin().load(oid)
    if (stored === undefined) {
      // Somebody may store it before this transaction, which acts on its absence, is committed.
      this.noteRead(oid)
      return undefined
    }
    return this.fill(stored, decodeRecord(stored.data)).object
  }

  touch(header: Header): void {
    const snapshot = this.begin()
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
    this.cache.use(header)
  }

  willChange(header: Header): void {
    this.checkOpen()
    this.changes.checkSettled('change', header)
    if (this.readonly) {
      const { oid, info } = header
      throw new PerdureError('PERDURE_READONLY', `Cannot change ${info.name} ${oid}: the connection is readonly.`, {
        details: { oid, className: info.name },
      })
    }
    this.changes.add(header)
  }

  follow(reference: Reference): object {
    let header = this.cache.find(reference.oid)
    if (header === undefined) {
      this.checkOpen()
      header = instantiate(this.#classes.resolve(reference.className))
      header.oid = reference.oid
      header.owner = this
      this.cache.add(header)
    }
    header.reference ??= reference
    reference.object = header.object
    return header.object
  }

  async loadAhead(oids: readonly Oid[], transaction: number): Promise<(StoredRecord | undefined)[] | undefined> {
    if (this.transaction !== transaction) return undefined
    try {
      const records = await this.begin().loadMany(oids)
      return this.transaction === transaction ? records : undefined
    } catch (error) {
      // The snapshot was released while it was being read.
      if (this.transaction !== transaction) return undefined
      throw error
    }
  }

  fill(stored: StoredRecord, record: DecodedRecord): { readonly object: object; readonly wasGhost: boolean } {
    const { oid } = stored
    const header = this.cache.find(oid) ?? (headerOf(this.follow(new Reference(oid, record.className))) as Header)
    const wasGhost = header.state === undefined
    if (wasGhost) {
      this.#loads++
      this.#reader.fill(header, stored, record)
      this.cache.use(header)
    }
    return { object: header.object, wasGhost }
  }

  /** The running transaction's snapshot; takes one, and forgets what has changed since the last one, if none is running. */
  begin(): Snapshot {
    if (this.#snapshot !== undefined) return this.#snapshot
    this.checkOpen()
    const snapshot = this.#past ?? this.#storage.snapshot()
    this.#invalidate(this.#cacheTid, snapshot.tid)
    this.#cacheTid = snapshot.tid
    this.#snapshot = snapshot
    return snapshot
  }

  /** Ends the transaction, whose changes the storage has taken as transaction `tid`. */
  committed(base: Tid, tid: Tid): void {
    // What was written is current as of `tid`, and the storage has made sure that nobody else wrote it since `base`.
    try {
      this.#invalidate(base, tid - 1)
    } catch {
      // The storage was closed while it committed. That must not make the commit look as if it had failed.
      this.cache.invalidateAll()
    }
    this.#cacheTid = tid
    this.changes.accepted(this.cache)
    this.end()
  }

  /** Ends the transaction. The next one may see other states. */
  end(): void {
    if (this.#past === undefined) this.#snapshot?.release()
    this.#snapshot = undefined
    this.#reads.clear()
    this.#live.restAll()
    this.transaction++
  }

  close(): void {
    this.#past?.release()
    this.#closed = true
  }

  checkOpen(): void {
    if (this.#closed) throw connectionClosed()
  }

  /** Makes ghosts of the objects changed by the transactions after `after`, up to `upTo`. */
  #invalidate(after: Tid, upTo: Tid): void {
    if (after >= upTo || this.cache.isEmpty) return
    const oids = this.#storage.changes(after, upTo)
    if (oids === undefined) this.cache.invalidateAll()
    else for (const oid of oids) this.cache.invalidate(oid)
  }
}

export function connectionClosed(): PerdureError {
  return new PerdureError('PERDURE_CLOSED', 'This connection has been closed. Get another one from db.connect().')
}

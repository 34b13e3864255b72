import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import type { CommitRequest, CommitResult, PointInTime } from '../../core/storage.js'
import { acquireFileLock, type FileLock } from '../../journal/file-lock.js'
import { nodeFileSystem } from '../../journal/journal-file.js'
import { checkSerializer, missing } from '../existing.js'
import { Place } from '../place.js'
import type { SqliteHandle } from '../sqlite-handle.js'
import type { SqliteStorageSettings } from '../sqlite-options.js'
import type { BackendFigures, SqliteBackend, ViewAt, WholeView } from './backend.js'
import type { SqliteConnection, SqliteEngine } from './engine.js'
import { loadSqlite } from './load-engine.js'
import type { OpenedDatabase } from './messages.js'
import { setCacheSize } from './open-for-writing.js'
import { OpenTids } from './open-tids.js'
import { existingAt, tooFarBack } from './points.js'
import { PublishedNumbers } from './published-numbers.js'
import { Reader } from './reader.js'
import { ReaderPool } from './reader-pool.js'
import { WriterClient } from './writer-client.js'
import { type WriterLink, type WriterStarter, WriterThread } from './writer-thread.js'

/** A handle in the process that writes: it knows by shared memory what is committed. */
abstract class SharedBackend implements SqliteBackend {
  readonly path: string
  readonly settings: SqliteStorageSettings
  readonly temporary: boolean
  protected readonly opened: OpenedDatabase
  readonly #published: PublishedNumbers
  readonly #openTids: OpenTids
  /** For all snapshots: each query names the transaction, and a pack knows which ones are looked at. */
  readonly #reader: Reader
  readonly #pool: ReaderPool

  protected constructor(
    engine: SqliteEngine,
    path: string,
    settings: SqliteStorageSettings,
    temporary: boolean,
    opened: OpenedDatabase,
    openTids: SharedArrayBuffer,
  ) {
    this.path = path
    this.settings = settings
    this.temporary = temporary
    this.opened = opened
    this.#published = new PublishedNumbers(opened.published)
    this.#openTids = new OpenTids(openTids)
    const connect = () => connectReader(engine, path, settings)
    this.#reader = new Reader(connect())
    this.#pool = new ReaderPool(connect)
  }

  abstract readonly client: WriterClient
  abstract share(): SqliteHandle
  abstract close(): Promise<void>

  get serializer(): string {
    return this.opened.serializer
  }

  get databaseId(): string {
    return this.opened.databaseId
  }

  newest(): ViewAt {
    for (;;) {
      const tid = this.#published.get('tid')
      const view = this.#enter(tid)
      // Only after it was entered, see OpenTids.
      if (tid >= this.#published.get('sweptAt')) return view
      view.release()
    }
  }

  at(point: PointInTime): ViewAt {
    const extent = this.#extent()
    const tid = existingAt(this.#reader, extent, point)
    const view = this.#enter(tid)
    if (tid >= this.#published.get('historyFrom')) return view
    view.release()
    throw tooFarBack(this.#reader, this.#extent(), point)
  }

  #enter(tid: Tid): ViewAt {
    this.#openTids.enter(tid)
    return { tid, reader: this.#reader, release: () => this.#openTids.leave(tid) }
  }

  #extent(): WholeView['extent'] {
    const { created } = this.opened
    // In this order, or a pack in between could make the one larger than the other.
    const historyFrom = this.#published.get('historyFrom')
    return { path: this.path, newest: this.#published.get('tid'), historyFrom, created }
  }

  whole(): WholeView {
    const reader = this.#pool.take()
    const { historyFrom, created } = reader.meta()
    const extent = { path: this.path, newest: reader.newest().tid, historyFrom, created }
    return { reader, extent, release: () => this.#pool.release(reader) }
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    if (after >= upTo) return []
    const oids = this.#reader.changes(after, upTo)
    // Only now: nothing is forgotten before it was told.
    const isForgotten = upTo < this.#published.get('sweptAt') || after < this.#published.get('removalsFrom')
    return isForgotten ? undefined : oids
  }

  allocateOids(count: number): Oid {
    if (this.#published.get('nextOid') > Number.MAX_SAFE_INTEGER - count - 2 ** 32) {
      throw new PerdureError('PERDURE_LIMIT', `Cannot allocate ${count} oids: fewer are left.`)
    }
    return this.#published.add('nextOid', count)
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.client.commit(request)
  }

  figures(): BackendFigures {
    const numbers = this.#published
    return {
      tid: numbers.get('tid'),
      objects: numbers.get('objects'),
      bytes: numbers.get('bytes'),
      nextOid: numbers.get('nextOid'),
      commits: numbers.get('commits'),
      conflicts: numbers.get('conflicts'),
      historyFrom: numbers.get('historyFrom'),
      batches: numbers.get('batches'),
      largestBatch: numbers.get('largestBatch'),
    }
  }

  protected closeReaders(): void {
    this.#pool.close()
    this.#reader.close()
  }
}

/** The handle that has opened the database for writing: it has the lock and the thread that writes. */
export class OwnerBackend extends SharedBackend {
  readonly #thread: WriterThread
  readonly #place: Place
  readonly #lock: FileLock

  private constructor(
    engine: SqliteEngine,
    place: Place,
    lock: FileLock,
    settings: SqliteStorageSettings,
    thread: WriterThread,
  ) {
    super(engine, place.path, settings, place.temporary, thread.opened, thread.openTids)
    this.#place = place
    this.#lock = lock
    this.#thread = thread
  }

  /** @param path undefined for a temporary database */
  static async open(
    path: string | undefined,
    settings: SqliteStorageSettings,
    startWriter: WriterStarter | undefined,
  ): Promise<OwnerBackend> {
    const engine = await loadSqlite()
    const place = await Place.choose(path, 'temporary.sqlite')
    try {
      if (!settings.createIfMissing && !nodeFileSystem.exists(place.path)) throw missing(place.path)
      return await OwnerBackend.#openAt(engine, place, settings, startWriter)
    } catch (error) {
      await place.leave()
      throw error
    }
  }

  static async #openAt(
    engine: SqliteEngine,
    place: Place,
    settings: SqliteStorageSettings,
    startWriter: WriterStarter | undefined,
  ): Promise<OwnerBackend> {
    const { path } = place
    const { serializer, durability, cacheBytes } = settings
    const lock = acquireFileLock(path)
    let thread: WriterThread | undefined
    try {
      thread = await WriterThread.start({ path, durability, serializer, cacheBytes }, startWriter)
      checkSerializer(path, thread.opened.serializer, serializer)
      return new OwnerBackend(engine, place, lock, settings, thread)
    } catch (error) {
      await thread?.close()
      lock.release()
      throw error
    }
  }

  get client(): WriterClient {
    return this.#thread.client
  }

  share(): SqliteHandle {
    const { path, settings, opened } = this
    return { kind: 'sqlite-writable', path, settings, opened, writer: this.#thread.connect() }
  }

  async close(): Promise<void> {
    try {
      // First, so that the thread is the last one that has the file open, and SQLite can tidy up.
      await this.client.idle()
      this.closeReaders()
      await this.#thread.close()
    } finally {
      this.#lock.release()
      await this.#place.leave()
    }
  }
}

/** A handle in a thread that shares a storage opened by another one. */
export class AttachedBackend extends SharedBackend {
  readonly client: WriterClient

  private constructor(engine: SqliteEngine, { path, settings, opened, writer }: SharedHandle) {
    super(engine, path, settings, false, opened, writer.openTids)
    this.client = new WriterClient(writer.port, path)
  }

  static async open(handle: SharedHandle): Promise<AttachedBackend> {
    try {
      return new AttachedBackend(await loadSqlite(), handle)
    } catch (error) {
      handle.writer.port.close()
      throw error
    }
  }

  share(): SqliteHandle {
    throw new PerdureError('PERDURE_UNSUPPORTED', 'Only the handle that opened the file can share it with threads.')
  }

  async close(): Promise<void> {
    await this.client.idle()
    this.client.disconnect()
    this.closeReaders()
  }
}

type SharedHandle = Extract<SqliteHandle, { writer: WriterLink }>

function connectReader(engine: SqliteEngine, path: string, { cacheBytes }: SqliteStorageSettings): SqliteConnection {
  const connection = engine.open(path, { readonly: true, busyTimeoutMs: 5_000 })
  setCacheSize(connection, cacheBytes)
  return connection
}

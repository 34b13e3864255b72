import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Oid, Tid } from '../../core/oid.js'
import type { CommitResult, PointInTime } from '../../core/storage.js'
import { nodeFileSystem } from '../../journal/journal-file.js'
import { canonicalPath } from '../canonical-path.js'
import { checkSerializer, missing } from '../existing.js'
import type { SqliteHandle } from '../sqlite-handle.js'
import type { SqliteStorageSettings } from '../sqlite-options.js'
import { type BackendFigures, readonlyError, type SqliteBackend, type ViewAt, type WholeView } from './backend.js'
import type { SqliteEngine } from './engine.js'
import { loadSqlite } from './load-engine.js'
import { openForReading } from './open-for-reading.js'
import { existingAt } from './points.js'
import type { Reader } from './reader.js'
import { ReaderPool } from './reader-pool.js'
import type { Meta } from './schema.js'

/**
 * A readonly handle. Each of its snapshots is a read transaction of SQLite with a connection of its own, because a pack
 * in the process that writes cannot know what is read here.
 */
export class ReadonlyBackend implements SqliteBackend {
  readonly path: string
  readonly settings: SqliteStorageSettings
  readonly temporary = false
  readonly serializer: string
  readonly databaseId: string
  readonly #pool: ReaderPool

  private constructor(engine: SqliteEngine, path: string, settings: SqliteStorageSettings) {
    this.path = path
    this.settings = settings
    this.#pool = new ReaderPool(() => openForReading(engine, path, settings.cacheBytes))
    try {
      const { serializer, databaseId } = this.#read((_reader, meta) => meta)
      checkSerializer(path, serializer, settings.serializer)
      this.serializer = serializer
      this.databaseId = databaseId
    } catch (error) {
      this.#pool.close()
      throw error
    }
  }

  static async open(location: string, settings: SqliteStorageSettings): Promise<ReadonlyBackend> {
    const engine = await loadSqlite()
    const path = canonicalPath(location)
    if (!nodeFileSystem.exists(path)) throw missing(path)
    return new ReadonlyBackend(engine, path, settings)
  }

  newest(): ViewAt {
    return this.#view((reader) => reader.newest().tid)
  }

  at(point: PointInTime): ViewAt {
    return this.#view((reader) => existingAt(reader, this.#extentOf(reader, reader.meta()), point))
  }

  #view(choose: (reader: Reader) => Tid): ViewAt {
    const reader = this.#pool.take()
    try {
      return { tid: choose(reader), reader, release: () => this.#pool.release(reader) }
    } catch (error) {
      this.#pool.release(reader)
      throw error
    }
  }

  whole(): WholeView {
    const reader = this.#pool.take()
    return {
      reader,
      extent: this.#extentOf(reader, reader.meta()),
      release: () => this.#pool.release(reader),
    }
  }

  #extentOf(reader: Reader, { historyFrom, created }: Meta): WholeView['extent'] {
    return { path: this.path, newest: reader.newest().tid, historyFrom, created }
  }

  #read<T>(read: (reader: Reader, meta: Meta) => T): T {
    const reader = this.#pool.take()
    try {
      return read(reader, reader.meta())
    } finally {
      this.#pool.release(reader)
    }
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    if (after >= upTo) return []
    return this.#read((reader, { sweptAt, removalsFrom }) => {
      if (upTo < sweptAt || after < removalsFrom) return undefined
      return reader.changes(after, upTo)
    })
  }

  allocateOids(): Oid {
    throw readonlyError(this.path)
  }

  async commit(): Promise<CommitResult> {
    throw readonlyError(this.path)
  }

  share(): SqliteHandle {
    return { kind: 'sqlite-readonly', path: this.path, settings: this.settings }
  }

  figures(): BackendFigures {
    return this.#read((reader, { historyFrom, nextOid }) => {
      return { ...reader.newest(), nextOid, historyFrom, commits: 0, conflicts: 0 }
    })
  }

  async close(): Promise<void> {
    this.#pool.close()
    // libsql closes files when its garbage is collected, and Node does that between two turns only.
    await nextTurn()
  }
}

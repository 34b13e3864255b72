import { PerdureError } from '../../core/errors.js'
import { nodeFileSystem } from '../../journal/journal-file.js'
import type { SqliteConnection, SqliteEngine } from './engine.js'
import { assertNoLeftovers } from './leftovers.js'
import type { WriterSettings } from './messages.js'
import { checkFormat, createTables, type Meta, readMeta } from './schema.js'

/** How long to wait for another program that has locked the file, in ms. */
const BUSY_TIMEOUT_MS = 5_000

/** The WAL is cut to this size when it has been copied to the file, in bytes. */
const WAL_BYTES = 64 * 1024 * 1024

/**
 * Opens the only connection that writes, and makes a new file a database.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_CORRUPTION`; `PERDURE_ARGUMENT` as
 *   {@link assertNoLeftovers}; `PERDURE_UNSUPPORTED` where the file system has no shared memory; and as said at
 *   SqliteEngine
 */
export function openForWriting(
  engine: SqliteEngine,
  { path, durability, serializer, cacheBytes }: WriterSettings,
): { readonly connection: SqliteConnection; readonly meta: Meta } {
  if (!nodeFileSystem.exists(path)) create(engine, path, serializer ?? 'msgpack')
  const connection = engine.open(path, { busyTimeoutMs: BUSY_TIMEOUT_MS })
  try {
    setCacheSize(connection, cacheBytes)
    checkFormat(connection)
    useWal(connection)
    connection.exec(`pragma synchronous = ${durability === 'fsync' ? 'full' : 'normal'}`)
    connection.prepare(`pragma journal_size_limit = ${WAL_BYTES}`).get()
    return { connection, meta: readMeta(connection) }
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Beside its place, so that what is found there is whole; an empty file is one that has lost everything. */
function create(engine: SqliteEngine, path: string, serializer: string): void {
  assertNoLeftovers(path)
  const draft = `${path}.new`
  // An earlier process may have been killed here. Nobody else is: the caller holds the lock.
  for (const name of [draft, `${draft}-journal`]) nodeFileSystem.unlink(name)
  const connection = engine.open(draft)
  try {
    createTables(connection, serializer, Date.now())
  } finally {
    connection.close()
  }
  nodeFileSystem.rename(draft, path)
  nodeFileSystem.syncDirectory(path)
}

/** @param cacheBytes memory for pages of the file */
export function setCacheSize(connection: SqliteConnection, cacheBytes: number): void {
  connection.exec(`pragma cache_size = -${Math.ceil(cacheBytes / 1024)}`)
}

function useWal(connection: SqliteConnection): void {
  const [mode] = connection.prepare<[string]>('pragma journal_mode = wal').get() ?? ['']
  if (mode === 'wal') return
  throw new PerdureError(
    'PERDURE_UNSUPPORTED',
    `${connection.path} cannot be used by several connections at a time (journal mode ${mode}), which takes memory that they share. Put it on a disk of this machine.`,
    { details: { path: connection.path } },
  )
}

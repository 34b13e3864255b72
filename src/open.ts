import { collectionClasses } from './collections/collection-classes.js'
import { PersistentMap } from './collections/persistent-map.js'
import type { PersistentClass } from './core/class-info.js'
import { ClassRegistry, globalClasses, registerClass } from './core/class-registry.js'
import type { ConnectionOptions } from './core/connection-options.js'
import { Database } from './core/database.js'
import { PerdureError } from './core/errors.js'
import {
  type AutomaticPackOptions,
  checkPackSchedule,
  PACK_SCHEDULE_OPTIONS,
  PackSchedule,
} from './core/pack-schedule.js'
import type { Persistent } from './core/persistent.js'
import { PICKLE } from './core/pickle.js'
import type { Serializer } from './core/serializer.js'
import type { SharedStorage, Storage } from './core/storage.js'
import { openPath, pick } from './open-path.js'
import { checkOptions } from './options.js'
import { checkKnown, loadSerializer } from './serializers/registry.js'
import { isAddressUrl } from './server/address.js'
import { CLIENT_OPTIONS, type ClientStorageOptions } from './storages/client/client-options.js'
import { FileStorage, isFileHandle } from './storages/file.js'
import type { FileStorageOptions } from './storages/file-options.js'
import { isSqliteHandle } from './storages/sqlite-handle.js'
import type { SqliteStorageOptions } from './storages/sqlite-options.js'

/** The object a database starts from: a PersistentMap whose keys and values are typed by `Entries`. */
export type Root<Entries extends object = Record<string, unknown>> = Omit<
  PersistentMap<keyof Entries & string, Entries[keyof Entries]>,
  'get' | 'set'
> & {
  get<Key extends keyof Entries & string>(key: Key): Entries[Key] | undefined
  set<Key extends keyof Entries & string>(key: Key, value: Entries[Key]): Root<Entries>
}

/** Options of {@link open}: of the storage, whichever it is, when to pack it, and defaults for the connections. */
export interface OpenOptions
  extends FileStorageOptions,
    SqliteStorageOptions,
    ClientStorageOptions,
    ConnectionOptions,
    AutomaticPackOptions {
  /** Classes whose instances the database holds. Collections are known anyway. */
  readonly classes?: readonly PersistentClass[]
  /** Kind of a new database, `file` unless given; that of an existing one is recognised. See `registerStorage`. */
  readonly storage?: string | undefined
  /** False leaves an empty database as it is; then there is no `connection.root`. Default: true. */
  readonly createRoot?: boolean | undefined
}

/** Where {@link open} finds a database: a path, the URL of a server, nothing (a temporary file), an open Storage, or a handle from another thread. */
export type Location = string | undefined | Storage | SharedStorage['handle']

const CONNECTION_OPTIONS = ['cacheSize', 'isolation', 'readonly'] as const
const OTHER_OPTIONS = ['classes', 'createRoot', ...CONNECTION_OPTIONS, ...PACK_SCHEDULE_OPTIONS]
const SERVER_OPTIONS = ['serializer', ...CLIENT_OPTIONS, 'classes', 'createRoot', ...CONNECTION_OPTIONS]

for (const type of collectionClasses) registerClass(type)

/**
 * Opens a database, and creates it if it does not exist.
 *
 * ```ts
 * const db = await open<{ accounts: BTree<string, Account> }>('bank.perdure', { classes: [Account] })
 * await db.transact((root) => root.get('accounts')?.get('ada')?.deposit(10))
 * ```
 *
 * @param location a file's path; or nothing, for a temporary database that is removed when it is closed; or an open
 *   Storage, which the database then owns; or a handle made by `db.share()` in another thread; or a server's URL:
 *   `perdure://host:2972`, `perdure+tls://host:2972`, `perdure+unix:///path`, `perdure+unix:@name`
 * @throws PerdureError `PERDURE_ARGUMENT` for an unknown option, `PERDURE_CLASS`, `PERDURE_SERIALIZER` if the database
 *   was created with another serializer or with one that is not registered, `PERDURE_LOCKED` if another process has
 *   it open for writing, `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_CORRUPTION`, `PERDURE_PERMISSION`,
 *   `PERDURE_NOT_FOUND`, `PERDURE_NO_SPACE`, `PERDURE_IO`; of a server `PERDURE_TIMEOUT`, `PERDURE_AUTHENTICATION`,
 *   `PERDURE_PROTOCOL`
 */
export async function open<Entries extends object = Record<string, unknown>>(
  location?: Location,
  options: OpenOptions = {},
): Promise<Database<Root<Entries>>> {
  checkPackSchedule(options)
  const classes = new ClassRegistry(globalClasses)
  for (const type of options.classes ?? []) classes.register(type)
  const storage = await openStorage(location, options)
  let schedule: PackSchedule | undefined
  try {
    schedule = PackSchedule.start(storage, options)
    return await Database.start<Root<Entries>>({
      storage,
      schedule,
      serializer: await serializerOf(storage),
      classes,
      createRoot: options.createRoot === false ? undefined : () => new PersistentMap() as Persistent,
      connectionOptions: pick(options, CONNECTION_OPTIONS),
    })
  } catch (error) {
    await schedule?.stop()
    await storage.close()
    throw error
  }
}

async function openStorage(location: Location, options: OpenOptions): Promise<Storage> {
  const { serializer } = options
  // Before anything is created: an unknown name must not end up in a file.
  if (serializer !== undefined) checkKnown(serializer)
  if (location === undefined || (typeof location === 'string' && !isServer(location))) {
    return openPath(checkPath(location), { ...options }, 'open', OTHER_OPTIONS)
  }
  if (isServer(location)) checkOptions('open, of a server,', options, SERVER_OPTIONS)
  else checkOptions('open, of an open storage,', options, ['serializer', ...OTHER_OPTIONS])
  const storage = await attach(location, options)
  if (serializer !== undefined && storage.serializer !== serializer) {
    // Storages that were given belong to the caller until the database is open.
    if (typeof location === 'string') await storage.close()
    throw new PerdureError(
      'PERDURE_SERIALIZER',
      `${storage.location} was created with the serializer ${storage.serializer}, not ${serializer}. Leave the option out, or convert the database.`,
      { details: { path: storage.location, stored: storage.serializer, asked: serializer } },
    )
  }
  return storage
}

async function attach(location: Exclude<Location, undefined>, options: OpenOptions): Promise<Storage> {
  if (typeof location === 'string') {
    // Loaded only when it is needed: most programs have their database in a file.
    const { ClientStorage } = await import('./storages/client.js')
    return ClientStorage.connect(location, pick(options, CLIENT_OPTIONS))
  }
  if (isFileHandle(location)) return FileStorage.attach(location)
  if (!isSqliteHandle(location)) return checkStorage(location)
  const { SqliteStorage } = await import('./storages/sqlite.js')
  return SqliteStorage.attach(location)
}

function isServer(location: Location): location is string {
  return typeof location === 'string' && isAddressUrl(location)
}

async function serializerOf({ serializer, location }: Storage): Promise<Serializer> {
  if (serializer !== PICKLE) return loadSerializer(serializer)
  throw new PerdureError(
    'PERDURE_SERIALIZER',
    `${location} holds Python pickles. Serve it to Durus clients with perdure/server, or import it into a new database.`,
    { details: { path: location, stored: serializer } },
  )
}

function checkPath(location: string | undefined): string | undefined {
  if (location === undefined) return undefined
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(location)?.[1]
  if (scheme === undefined) return location
  throw new PerdureError(
    'PERDURE_UNSUPPORTED',
    `Cannot open ${location}: there is no storage for ${scheme} addresses. Give a file's path, or a server's address, as in perdure://host:2972.`,
    { details: { path: location } },
  )
}

function checkStorage(location: object): Storage {
  if (typeof (location as Partial<Storage>).snapshot === 'function') return location as Storage
  throw new PerdureError('PERDURE_ARGUMENT', 'open takes a path, an open storage, or a handle made by share().')
}

import type { PersistentClass } from '../../src/core/class-info.js'
import { ClassRegistry, globalClasses } from '../../src/core/class-registry.js'
import type { ConnectionOptions } from '../../src/core/connection-options.js'
import { Database } from '../../src/core/database.js'
import { Persistent } from '../../src/core/persistent.js'
import type { Storage } from '../../src/core/storage.js'
import { msgpack } from '../../src/serializers/msgpack.js'
import { MemoryStorage } from '../../src/storages/memory.js'

/** A root that is an ordinary object, so that tests of the core need no collections. */
export class Root extends Persistent {
  [name: string]: unknown
}

/** A database, in memory unless a storage is given, whose root `createRoot` makes. */
export async function databaseOf<Root extends Persistent>(
  createRoot: () => Root,
  classes: readonly PersistentClass[] = [],
  connectionOptions: ConnectionOptions = {},
  storage: Storage = new MemoryStorage({ serializer: msgpack.name }),
): Promise<Database<Root>> {
  const registry = new ClassRegistry(globalClasses)
  for (const type of classes) registry.register(type)
  return Database.start<Root>({ storage, serializer: msgpack, classes: registry, createRoot, connectionOptions })
}

/** A database with an ordinary object as its root. */
export function memoryDatabase(
  classes: readonly PersistentClass[] = [],
  connectionOptions: ConnectionOptions = {},
  storage?: Storage,
): Promise<Database<Root>> {
  return databaseOf(() => new Root(), [Root, ...classes], connectionOptions, storage)
}

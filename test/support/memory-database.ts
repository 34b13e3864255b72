import type { PersistentClass } from '../../src/core/class-info.js'
import { ClassRegistry } from '../../src/core/class-registry.js'
import type { ConnectionOptions } from '../../src/core/connection-options.js'
import { Database } from '../../src/core/database.js'
import type { Persistent } from '../../src/core/persistent.js'
import { msgpack } from '../../src/serializers/msgpack.js'
import { MemoryStorage } from '../../src/storages/memory.js'

/** A new database in memory, whose root `createRoot` makes. */
export async function databaseOf<Root extends Persistent>(
  createRoot: () => Root,
  classes: readonly PersistentClass[] = [],
  connectionOptions: ConnectionOptions = {},
): Promise<Database<Root>> {
  const registry = new ClassRegistry()
  for (const type of classes) registry.register(type)
  const storage = new MemoryStorage({ serializer: msgpack.name })
  return Database.start<Root>({ storage, serializer: msgpack, classes: registry, createRoot, connectionOptions })
}

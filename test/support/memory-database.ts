import type { PersistentClass } from '../../src/core/class-info.js'
import { ClassRegistry } from '../../src/core/class-registry.js'
import type { ConnectionOptions } from '../../src/core/connection.js'
import { Database } from '../../src/core/database.js'
import type { Persistent } from '../../src/core/persistent.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { V8Serializer } from './v8-serializer.js'

/** A new database in memory, whose root `createRoot` makes. */
export async function memoryDatabase<Root extends Persistent>(
  createRoot: () => Root,
  classes: readonly PersistentClass[] = [],
  connectionOptions: ConnectionOptions = {},
): Promise<Database<Root>> {
  const registry = new ClassRegistry()
  for (const type of classes) registry.register(type)
  const serializer = new V8Serializer()
  const storage = new MemoryStorage({ serializer: serializer.name })
  return Database.start<Root>({ storage, serializer, classes: registry, createRoot, connectionOptions })
}

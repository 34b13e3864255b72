import type { Storage } from '../../src/core/storage.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { SqliteStorage } from '../../src/storages/sqlite.js'

/** One deployment: a storage, and who works on it. */
export interface Setting {
  readonly name: string
  readonly create: () => Promise<Storage>
  /** In each thread. */
  readonly clients: number
  /** Application threads besides the one that has opened the storage. */
  readonly threads: number
}

/** Every storage, in every way that it can be used. Without a sync, commits are answered on another way. */
export const settings: readonly Setting[] = [
  { name: 'MemoryStorage', create: async () => new MemoryStorage(), clients: 6, threads: 0 },
  { name: 'FileStorage', create: () => file('fsync'), clients: 6, threads: 0 },
  { name: 'FileStorage without sync', create: () => file('os'), clients: 6, threads: 0 },
  { name: 'FileStorage with three threads', create: () => file('fsync'), clients: 3, threads: 2 },
  { name: 'FileStorage with three threads, without sync', create: () => file('os'), clients: 3, threads: 2 },
  { name: 'SqliteStorage', create: () => SqliteStorage.open(), clients: 6, threads: 0 },
  { name: 'SqliteStorage with three threads', create: sqliteWithoutSync, clients: 3, threads: 2 },
]

function file(durability: 'fsync' | 'os'): Promise<Storage> {
  return FileStorage.open(undefined, { durability })
}

function sqliteWithoutSync(): Promise<Storage> {
  return SqliteStorage.open(undefined, { durability: 'os' })
}

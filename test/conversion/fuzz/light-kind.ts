import { writeFileSync } from 'node:fs'
import type { Capability } from '../../../src/core/storage.js'
import { MemoryStorage } from '../../../src/storages/memory.js'
import type { StorageKind } from '../../../src/storages/registry.js'

/** Of databases that are being made; a file with nothing in it stands for each. */
const storages = new Map<string, LightStorage>()

class LightStorage extends MemoryStorage {
  override readonly capabilities: ReadonlySet<Capability> = new Set(['pack', 'restore', 'persistent'])

  /** What is written can be read after it was closed. */
  override async close(): Promise<void> {}

  override async [Symbol.asyncDispose](): Promise<void> {}
}

/** A kind of storage that is made in no time: no thread is started for it. Only one database at a time can be made. */
export const lightKind: StorageKind = {
  name: 'test.light',
  summary: 'For tests that make very many databases.',
  options: [],
  recognizes: () => false,
  open: async (path = '', { serializer = 'msgpack', readonly }) => {
    if (readonly === true) return storages.get(path) as LightStorage
    storages.clear()
    const storage = new LightStorage({ serializer })
    storages.set(path, storage)
    writeFileSync(path, '')
    return storage
  },
}

import { PerdureError } from '../core/errors.js'
import type { StorageKind } from './registry.js'

/** MemoryStorage, as `open()` chooses it. No file is of this kind. */
export const memoryKind: StorageKind = {
  name: 'memory',
  summary: 'No file: everything is in the memory of the process, and gone when it is closed.',
  options: [],
  recognizes: () => false,
  async open(path, { serializer }) {
    if (path !== undefined) {
      const message = `A database in memory has no path, so ${path} cannot be one. Leave the path out, or the storage.`
      throw new PerdureError('PERDURE_ARGUMENT', message, { details: { path } })
    }
    // Loaded only when it is needed: most programs have their database in a file.
    const { MemoryStorage } = await import('./memory.js')
    return new MemoryStorage(serializer === undefined ? {} : { serializer })
  },
}

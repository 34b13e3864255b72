import { availableParallelism } from 'node:os'
import type { PackResult } from '../core/storage.js'
import { FileStorage } from './file.js'
import { checkPackOptions, type FilePackOptions } from './pack-options.js'
import { refuseSqlite } from './read-head.js'

/**
 * Packs a database file that nobody has open for writing, with all processors. The file has been replaced as a whole,
 * or not at all, whenever the process ends.
 *
 * @throws PerdureError `PERDURE_LOCKED` if the file is open for writing; `PERDURE_NOT_FOUND`, `PERDURE_ARGUMENT`;
 *   `PERDURE_UNSUPPORTED` for a database of SQLite; and
 *   what `FileStorage.open` and `FileStorage.pack` throw
 *
 * @example
 * const { bytesBefore, bytesAfter } = await packFile('bank.perdure', { retain: { durationMs: 86_400_000 } })
 */
export async function packFile(path: string, options: FilePackOptions = {}): Promise<PackResult> {
  checkPackOptions('packFile', options)
  options.signal?.throwIfAborted()
  refuseSqlite(path, 'packFile', 'Open it and call pack(), or pack the server that serves it.')
  const storage = await FileStorage.open(path, { createIfMissing: false })
  try {
    return await storage.pack({ threads: availableParallelism(), ...options })
  } finally {
    await storage.close()
  }
}

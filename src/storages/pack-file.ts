import { availableParallelism } from 'node:os'
import type { PackResult } from '../core/storage.js'
import { FileStorage } from './file.js'
import { checkPackOptions, type FilePackOptions } from './pack-options.js'

/**
 * Packs a database file that nobody has open for writing, with all processors. The file has been replaced as a whole,
 * or not at all, whenever the process ends.
 *
 * @throws PerdureError `PERDURE_LOCKED` if the file is open for writing; `PERDURE_NOT_FOUND`, `PERDURE_ARGUMENT`, and
 *   what `FileStorage.open` and `FileStorage.pack` throw
 *
 * @example
 * const { bytesBefore, bytesAfter } = await packFile('bank.perdure', { retain: { durationMs: 86_400_000 } })
 */
export async function packFile(path: string, options: FilePackOptions = {}): Promise<PackResult> {
  checkPackOptions('packFile', options)
  options.signal?.throwIfAborted()
  const storage = await FileStorage.open(path, { createIfMissing: false })
  try {
    return await storage.pack({ threads: availableParallelism(), ...options })
  } finally {
    await storage.close()
  }
}

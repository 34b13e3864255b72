import './built-in-kinds.js'
import { availableParallelism } from 'node:os'
import type { PackResult } from '../core/storage.js'
import { FileStorage } from './file.js'
import { fileKind } from './file-kind.js'
import { requireKind } from './identify.js'
import { checkPackOptions, type FilePackOptions } from './pack-options.js'

/**
 * Packs a database file that nobody has open for writing, with all processors. The file has been replaced as a whole,
 * or not at all, whenever the process ends. One of another kind of storage is packed as that does it.
 *
 * @throws PerdureError `PERDURE_LOCKED` if the file is open for writing; `PERDURE_NOT_FOUND`, `PERDURE_ARGUMENT`,
 *   `PERDURE_NOT_A_DATABASE`, `PERDURE_UNSUPPORTED` if the kind of storage does not pack, and what opening and packing
 *   it throw
 *
 * @example
 * const { bytesBefore, bytesAfter } = await packFile('bank.perdure', { retain: { durationMs: 86_400_000 } })
 */
export async function packFile(path: string, options: FilePackOptions = {}): Promise<PackResult> {
  checkPackOptions('packFile', options)
  options.signal?.throwIfAborted()
  const kind = await requireKind(path)
  const storage = await (kind ?? fileKind).open(path, { createIfMissing: false })
  try {
    const threads = availableParallelism()
    return await storage.pack(storage instanceof FileStorage ? { threads, ...options } : options)
  } finally {
    await storage.close()
  }
}

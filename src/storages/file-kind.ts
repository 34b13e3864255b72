import { FILE_MAGIC } from '../journal/format.js'
import { FileStorage } from './file.js'
import { FILE_OPTIONS, type FileStorageOptions } from './file-options.js'
import type { StorageKind } from './registry.js'

/** FileStorage, as `open()` chooses it. */
export const fileKind: StorageKind = {
  name: 'file',
  summary: 'One append-only file of transactions, written by a thread of its own.',
  options: FILE_OPTIONS,
  recognizes: (head) => FILE_MAGIC.equals(head.subarray(0, FILE_MAGIC.length)),
  open: (path, options) => FileStorage.open(path, options as FileStorageOptions),
}

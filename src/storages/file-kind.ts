import { checkpointPath, checkpointTemporaryPath } from '../journal/checkpoint.js'
import { packPath, prepackTemporaryPath } from '../journal/packed-base.js'
import { watermarkPath } from '../journal/watermark.js'
import { FileStorage } from './file.js'
import { FILE_OPTIONS, type FileStorageOptions } from './file-options.js'
import { isJournal } from './identify.js'
import type { StorageKind } from './registry.js'

/** What stands beside the database while it is used, and what a crash leaves of files that were not finished. */
const SIDECARS = [
  checkpointPath(''),
  watermarkPath(''),
  '.lock',
  '.new',
  checkpointTemporaryPath(''),
  packPath(''),
  checkpointPath(packPath('')),
  checkpointTemporaryPath(packPath('')),
  prepackTemporaryPath(''),
]

/** FileStorage, as `open()` chooses it. */
export const fileKind: StorageKind = {
  name: 'file',
  summary: 'One append-only file of transactions, written by a thread of its own.',
  options: FILE_OPTIONS,
  sidecars: SIDECARS,
  recognizes: isJournal,
  open: (path, options) => FileStorage.open(path, options as FileStorageOptions),
}

import { PerdureError } from '../core/errors.js'
import { nodeFileSystem, type OpenFile } from '../journal/journal-file.js'
import { FileSource } from './file-source.js'
import { sniffDurus } from './sniff.js'
import type { DurusSource } from './source.js'

const HEAD_BYTES = 4096

/**
 * Opens a Durus file, of whichever format it is. It is only ever read. The files of FileStorage and FileStorage2 are
 * read from beginning to end, so that damage is noticed here.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE` if it is no Durus file, `PERDURE_LOCKED` if Durus is writing it (SQLite),
 *   `PERDURE_CORRUPTION`, `PERDURE_UNSUPPORTED` if it needs an SQLite that is not installed, `PERDURE_NOT_FOUND`,
 *   `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export async function openDurusFile(path: string): Promise<DurusSource> {
  const file = nodeFileSystem.open(path, 'read')
  try {
    return await openOpened(file)
  } catch (error) {
    file.close()
    throw error
  }
}

async function openOpened(file: OpenFile): Promise<DurusSource> {
  const head = Buffer.alloc(HEAD_BYTES)
  const bytes = head.subarray(0, file.read(head, 0, HEAD_BYTES, 0))
  const format = sniffDurus(bytes)
  if (format === undefined) {
    const found = bytes.length === 0 ? 'it is empty' : `it begins with ${bytes.subarray(0, 8).toString('hex')}`
    throw new PerdureError('PERDURE_NOT_A_DATABASE', `${file.path} is no Durus file: ${found}.`, {
      details: { path: file.path },
    })
  }
  if (format !== 'sqlite') return new FileSource(file, format)
  throw new PerdureError('PERDURE_UNSUPPORTED', 'sqlite')
}

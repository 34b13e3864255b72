import { PerdureError } from '../core/errors.js'
import { nodeFileSystem, type OpenFile } from '../journal/journal-file.js'
import { FileSource } from './file-source.js'
import { sniffDurus } from './sniff.js'
import type { DurusFormat, DurusSource } from './source.js'

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
  let head: Buffer
  try {
    head = readHead(file)
    const format = requireFormat(path, head)
    if (format !== 'sqlite') return new FileSource(file, format)
  } catch (error) {
    file.close()
    throw error
  }
  // First of all: to close a file takes away the locks that SQLite has on it in the same process.
  file.close()
  const { SqliteSource } = await import('./sqlite.js')
  return SqliteSource.open(path, head)
}

function readHead(file: OpenFile): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  return head.subarray(0, file.read(head, 0, HEAD_BYTES, 0))
}

function requireFormat(path: string, head: Buffer): DurusFormat {
  const format = sniffDurus(head)
  if (format !== undefined) return format
  const found = head.length === 0 ? 'it is empty' : `it begins with ${head.subarray(0, 8).toString('hex')}`
  throw new PerdureError('PERDURE_NOT_A_DATABASE', `${path} is no Durus file: ${found}.`, { details: { path } })
}

import { PerdureError } from '../core/errors.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { describeHead } from '../storages/describe-head.js'
import { lookAt } from '../storages/file-head.js'
import { recognizeKind } from '../storages/registry.js'
import { FileSource } from './file-source.js'
import { sniffDurus } from './sniff.js'
import type { DurusFormat, DurusSource } from './source.js'

/**
 * Opens a Durus file, of whichever format it is. It is only ever read. The files of FileStorage and FileStorage2 are
 * read from beginning to end, so that damage is noticed here.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE` if it is no Durus file, `PERDURE_LOCKED` if Durus is writing it (SQLite),
 *   `PERDURE_CORRUPTION`, `PERDURE_UNSUPPORTED` if it needs an SQLite that is not installed, `PERDURE_NOT_FOUND`,
 *   `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export async function openDurusFile(path: string): Promise<DurusSource> {
  const content = await lookAt(path)
  if (content === undefined) {
    throw new PerdureError('PERDURE_NOT_FOUND', `There is no ${path}. Check the path.`, { details: { path } })
  }
  if (content.type !== 'file') throw noDurusFile(path, `a ${content.type}`)
  const { head } = content
  const format = sniffDurus(head)
  if (format === undefined) throw noDurusFile(path, describe(head))
  if (format !== 'sqlite') return openRecords(path, format)
  const { SqliteSource } = await import('./sqlite.js')
  // The file is not open here: to close it would take away the locks that SQLite has on it in the same process.
  return SqliteSource.open(path, head)
}

function openRecords(path: string, format: Exclude<DurusFormat, 'sqlite'>): DurusSource {
  const file = nodeFileSystem.open(path, 'read')
  try {
    return new FileSource(file, format)
  } catch (error) {
    file.close()
    throw error
  }
}

function describe(head: Uint8Array): string {
  const kind = recognizeKind(head)
  return kind === undefined ? describeHead(head) : `a Perdure database of the kind ${kind.name} already`
}

function noDurusFile(path: string, found: string): PerdureError {
  return new PerdureError('PERDURE_NOT_A_DATABASE', `${path} is no Durus file: it is ${found}.`, {
    details: { path, found },
  })
}

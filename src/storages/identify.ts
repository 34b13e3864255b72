import { resolve } from 'node:path'
import { CorruptionError, PerdureError } from '../core/errors.js'
import { FILE_HEADER_BYTES, FILE_MAGIC, RESTORE_OR_REPAIR, seemsTransaction, viewOf } from '../journal/format.js'
import { describeHead } from './describe-head.js'
import { lookAt, type PathContent } from './file-head.js'
import { findForeignFormat } from './foreign-format.js'
import { recognizeKind, type StorageKind } from './registry.js'

/** Whether a file that begins with these bytes is a journal, which FileStorage keeps. */
export function isJournal(head: Uint8Array): boolean {
  return FILE_MAGIC.equals(head.subarray(0, FILE_MAGIC.length))
}

/**
 * The kind of the database at a path. Undefined if nothing is there.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE` with what was found instead; CorruptionError if it is a journal whose
 *   first bytes are damaged; `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export async function requireKind(path: string): Promise<StorageKind | undefined> {
  const content = await lookAt(path)
  if (content === undefined) return undefined
  const kind = content.type === 'file' ? recognizeKind(content.head) : undefined
  if (kind !== undefined) return kind
  throw refusal(path, content)
}

/**
 * Sees to it that what is at a path, if anything, is a journal.
 *
 * @param who is to work on it, for the message
 * @throws PerdureError as {@link requireKind}; `PERDURE_UNSUPPORTED` if it is a database of another kind
 */
export async function requireJournal(path: string, who: string): Promise<void> {
  const content = await lookAt(path)
  if (content === undefined || hasMagic(content)) return
  refuseOtherKind(path, content, who)
  throw refusal(path, content)
}

/**
 * Sees to it that what is at a path, if anything, can have been a journal: one of which the first bytes are damaged is
 * recognised by what follows, and that may be far behind them.
 *
 * @param who is to work on it, for the message
 * @returns the error to be thrown if it turns out to be none; undefined if it surely is one
 * @throws PerdureError as {@link requireJournal}
 */
export async function requirePossibleJournal(path: string, who: string): Promise<PerdureError | undefined> {
  const content = await lookAt(path)
  if (content === undefined || hasMagic(content)) return undefined
  refuseOtherKind(path, content, who)
  const error = refusal(path, content)
  if (content.type === 'file' && findForeignFormat(content.head) === undefined) return error
  throw error
}

function hasMagic(content: PathContent): boolean {
  return content.type === 'file' && isJournal(content.head)
}

function refuseOtherKind(path: string, content: PathContent, who: string): void {
  const kind = content.type === 'file' ? recognizeKind(content.head) : undefined
  if (kind === undefined) return
  throw new PerdureError('PERDURE_UNSUPPORTED', `${path} is of the kind ${kind.name}; ${who} works on the kind file.`, {
    details: { path, stored: kind.name },
  })
}

/** Why what is there cannot be opened. */
function refusal(path: string, content: PathContent): PerdureError {
  if (content.type === 'socket') {
    return notADatabase(path, 'a socket', `If a server listens there, its address is perdure+unix://${resolve(path)}.`)
  }
  if (content.type !== 'file') return notADatabase(path, `a ${content.type}`)
  const { head } = content
  if (head.length === 0) {
    return notADatabase(path, describeHead(head), 'Remove it if a new database is to be made there.')
  }
  if (seemsTransaction(viewOf(head.subarray(FILE_HEADER_BYTES)), FILE_HEADER_BYTES)) {
    return new CorruptionError(path, 0, `the file header is lost, though transactions follow. ${RESTORE_OR_REPAIR}`)
  }
  const format = findForeignFormat(head)
  if (format !== undefined) return notADatabase(path, format.description, format.advice(path))
  return notADatabase(path, describeHead(head))
}

function notADatabase(path: string, found: string, advice = 'Check the path.'): PerdureError {
  return new PerdureError('PERDURE_NOT_A_DATABASE', `${path} is no Perdure database: it is ${found}. ${advice}`, {
    details: { path, found },
  })
}

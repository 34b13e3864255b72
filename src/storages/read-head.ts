import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { PerdureError, systemCode } from '../core/errors.js'
import { isSqlite } from './sqlite/file-head.js'

/** How much of a file {@link readHead} reads. */
const HEAD_BYTES = 4096

/**
 * Files of SQLite that have been looked at, by device and inode. Who closes such a file takes away all locks that the
 * process has on it, also those of SQLite, and another process could then do away with the WAL that is in use here:
 * https://sqlite.org/howtocorrupt.html, section 2.2. So they stay open, each once, until they are deleted.
 */
const kept = new Map<string, number>()

/**
 * The first bytes of the file at `path`, {@link HEAD_BYTES} if it has as many; undefined if there is none.
 *
 * @throws PerdureError `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export function readHead(path: string): Uint8Array | undefined {
  try {
    closeDeleted()
    const found = statSync(path, { bigint: true })
    const file = `${found.dev}:${found.ino}`
    const known = kept.get(file)
    const descriptor = known ?? openSync(path, 'r')
    let head: Uint8Array | undefined
    try {
      head = readBeginning(descriptor)
    } finally {
      if (head !== undefined && isSqlite(head)) kept.set(file, descriptor)
      else if (known === undefined) closeSync(descriptor)
    }
    return head
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new PerdureError(
      code === 'EACCES' || code === 'EPERM' ? 'PERDURE_PERMISSION' : 'PERDURE_IO',
      `${path} cannot be read: ${(cause as Error).message}`,
      { details: { path }, cause },
    )
  }
}

function readBeginning(descriptor: number): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES)
  return head.subarray(0, readSync(descriptor, head, 0, HEAD_BYTES, 0))
}

/** Their space is not free before. */
function closeDeleted(): void {
  for (const [file, descriptor] of kept) {
    if (fstatSync(descriptor).nlink > 0) continue
    kept.delete(file)
    closeSync(descriptor)
  }
}

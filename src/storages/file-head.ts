import { type FileHandle, open, stat } from 'node:fs/promises'
import { PerdureError, systemCode } from '../core/errors.js'

/** How much of a file is looked at to tell what it is. */
export const HEAD_BYTES = 4096

/** What a path leads to. */
export type PathContent =
  | { readonly type: 'file'; readonly head: Uint8Array }
  | { readonly type: 'directory' | 'socket' | 'pipe' | 'device' }

/**
 * Looks at what is at a path. Undefined if nothing is there.
 *
 * @throws PerdureError `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export async function lookAt(path: string): Promise<PathContent | undefined> {
  try {
    // To open a pipe would wait for somebody who writes to it.
    const status = await stat(path)
    if (status.isDirectory()) return { type: 'directory' }
    if (status.isSocket()) return { type: 'socket' }
    if (status.isFIFO()) return { type: 'pipe' }
    if (!status.isFile()) return { type: 'device' }
    await using file = await open(path, 'r')
    return { type: 'file', head: await readHead(file) }
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

async function readHead(file: FileHandle): Promise<Uint8Array> {
  const head = Buffer.alloc(HEAD_BYTES)
  let length = 0
  while (length < HEAD_BYTES) {
    const { bytesRead } = await file.read(head, length, HEAD_BYTES - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return head.subarray(0, length)
}

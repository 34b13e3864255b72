import { stat } from 'node:fs/promises'
import { PerdureError, systemCode } from '../core/errors.js'
import { readHead } from './read-head.js'

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
    return { type: 'file', head: await readHead(path) }
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

import { statSync } from 'node:fs'
import { systemCode } from '../core/errors.js'
import { fileError } from '../journal/journal-file.js'
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
export function lookAt(path: string): PathContent | undefined {
  const type = typeOf(path)
  // To open a pipe would wait for somebody who writes to it.
  if (type !== undefined && type !== 'file') return { type }
  const head = readHead(path)
  return head === undefined ? undefined : { type: 'file', head }
}

function typeOf(path: string): PathContent['type'] | undefined {
  try {
    const status = statSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    if (status.isDirectory()) return 'directory'
    if (status.isSocket()) return 'socket'
    if (status.isFIFO()) return 'pipe'
    return status.isFile() ? 'file' : 'device'
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return undefined
    throw fileError(error, path, 'examine')
  }
}

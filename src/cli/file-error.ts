import { type ErrorCode, PerdureError } from '../index.js'

const CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'PERDURE_PERMISSION',
  EPERM: 'PERDURE_PERMISSION',
  EROFS: 'PERDURE_PERMISSION',
  EEXIST: 'PERDURE_ARGUMENT',
  EISDIR: 'PERDURE_ARGUMENT',
  ENOENT: 'PERDURE_NOT_FOUND',
  ENOTDIR: 'PERDURE_NOT_FOUND',
  ENOSPC: 'PERDURE_NO_SPACE',
}

/**
 * A PerdureError for what the system says about a file that a command reads or writes; anything else is returned as it
 * is.
 *
 * @param what the file, with its path, and what cannot be done with it: `The log bank.log cannot be written`
 */
export function fileError(cause: unknown, path: string, what: string): unknown {
  const { code, syscall, message } = cause as NodeJS.ErrnoException
  if (cause instanceof PerdureError || code === undefined || syscall === undefined) return cause
  return new PerdureError(CODES[code] ?? 'PERDURE_IO', `${what}: ${message}`, {
    details: { path, system: code },
    cause,
  })
}

import type { BigIntStats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type ErrorCode, PerdureError, systemCode } from '../../core/errors.js'

/** Nobody reads megabytes of credentials or keys. */
const MAX_FILE_BYTES = 16 * 1024 * 1024

const ERRORS: Record<string, readonly [ErrorCode, string]> = {
  EACCES: ['PERDURE_PERMISSION', 'Check the permissions of the file and of its folder.'],
  EPERM: ['PERDURE_PERMISSION', 'Check the permissions of the file and of its folder.'],
  EROFS: ['PERDURE_PERMISSION', 'The file system is readonly.'],
  ENOENT: ['PERDURE_NOT_FOUND', 'Check the path.'],
  ENOTDIR: ['PERDURE_NOT_FOUND', 'Check the path.'],
  EISDIR: ['PERDURE_ARGUMENT', 'It is a folder.'],
  ENOSPC: ['PERDURE_NO_SPACE', 'Free some space on the disk.'],
}

/** A PerdureError for what the system says about a file; a PerdureError is returned as it is. */
export function privateFileError(error: unknown, path: string, action: string): PerdureError {
  if (error instanceof PerdureError) return error
  const system = systemCode(error) ?? 'unknown'
  const [code, advice] = ERRORS[system] ?? ['PERDURE_IO' as const, 'The disk may be failing.']
  return new PerdureError(code, `Cannot ${action} ${path} (${system}). ${advice}`, {
    details: { path, system },
    cause: error,
  })
}

/** What a file is and how it stands: whoever may change its content or its mode changes this. */
export interface FileStamp {
  readonly text: string
  /**
   * False if the file was changed so shortly before that another change might leave the same stamp, since the times of
   * files advance in steps.
   */
  readonly settled: boolean
}

const SETTLED_AFTER_MS = 1000

export function stampOf({ dev, ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): FileStamp {
  return {
    text: [dev, ino, size, mode, mtimeNs, ctimeNs].join(' '),
    settled: Date.now() - Number(ctimeNs / 1_000_000n) > SETTLED_AFTER_MS,
  }
}

/**
 * Who else may have access to a file with secrets. `nobody`: its owner alone. `group`: if root owns it, its group may
 * read it as well, as is usual for the keys of certificates.
 */
export type OthersAllowed = 'nobody' | 'group'

/**
 * Reads a file with secrets, unless others could read or change them. Its mode is that of the very file that is read.
 *
 * @param what for messages: `credentials file`
 * @throws PerdureError `PERDURE_PERMISSION` if others have access, or this process has not; `PERDURE_NOT_FOUND`,
 *   `PERDURE_ARGUMENT` for something that is no such file, `PERDURE_IO`
 */
export async function readPrivateFile(
  path: string,
  what: string,
  allowed: OthersAllowed,
): Promise<{ readonly text: string; readonly stamp: FileStamp; readonly stats: BigIntStats }> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile()) throw new PerdureError('PERDURE_ARGUMENT', `${path} is no ${what}.`, { details: { path } })
    if (stats.size > MAX_FILE_BYTES) {
      throw new PerdureError('PERDURE_ARGUMENT', `${path} is no ${what}: it is too large.`, { details: { path } })
    }
    checkMode(stats, path, what, allowed)
    return { text: await file.readFile('utf8'), stamp: stampOf(stats), stats }
  } catch (error) {
    throw privateFileError(error, path, 'read')
  } finally {
    await file?.close()
  }
}

function checkMode({ mode, uid }: BigIntStats, path: string, what: string, allowed: OthersAllowed): void {
  // Windows keeps its permissions elsewhere, and gives every file the same mode.
  if (process.platform === 'win32') return
  const permitted = allowed === 'group' && uid === 0n ? 0o740n : 0o700n
  const excess = mode & 0o777n & ~permitted
  if (excess === 0n) return
  const best = (mode & permitted & ~0o100n).toString(8).padStart(4, '0')
  throw new PerdureError(
    'PERDURE_PERMISSION',
    `The ${what} ${path} can be read or changed by others: its mode is ${octal(mode)}. Do: chmod ${best} ${path}`,
    { details: { path, mode: octal(mode) } },
  )
}

function octal(mode: bigint): string {
  return (mode & 0o777n).toString(8).padStart(4, '0')
}

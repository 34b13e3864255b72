import { PerdureError } from '../core/errors.js'
import { FailingFile } from '../journal/failing-file.js'
import { acquireFileLock, assertNotLocked } from '../journal/file-lock.js'
import { nodeFileSystem, type OpenFile } from '../journal/journal-file.js'
import { canonicalPath } from './canonical-path.js'
import { requirePossibleJournal } from './identify.js'
import type { RepairKeep, RepairOptions, RepairReport } from './repair-report.js'

const KEEP: readonly RepairKeep[] = ['records', 'transactions', 'prefix']
const OPTIONS = ['to', 'keep', 'unacknowledged', 'serializer', 'onProgress', 'signal']

/**
 * Reads a damaged database file and writes a new one with everything in it that a checksum proves to be good. The
 * damaged file is only read. The new one appears under its name when it is complete and on the disk.
 *
 * Transactions keep their tids, times and notes. In the place of a transaction that is not whole stands one with the
 * same tid that holds the records that are left of it, and a note that says so. Of each object the newest version that
 * is good is the newest version in the new file; the report tells where it is older than one that is lost.
 *
 * @param path of the damaged file; the files `.index` and `.live` beside it are used as witnesses, if they are there
 * @throws PerdureError `PERDURE_LOCKED` if a process has the file open for writing; `PERDURE_ARGUMENT` if there is a
 *   file at the new path; `PERDURE_SERIALIZER` if the file header is damaged and `options.serializer` is not given;
 *   `PERDURE_NOT_FOUND`, `PERDURE_NOT_A_DATABASE`, `PERDURE_UNSUPPORTED` for another kind of storage,
 *   `PERDURE_FORMAT_VERSION`, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`; `PERDURE_CORRUPTION` if not one transaction is left; the reason of the signal
 *
 * @example
 * const { to, lost } = await repairFile('bank.perdure')
 * console.log(`${to} lacks ${lost.length} objects`)
 */
export async function repairFile(path: string, options: RepairOptions = {}): Promise<RepairReport> {
  checkOptions(options)
  const from = canonicalPath(path)
  const to = canonicalPath(options.to ?? `${from}.repaired`)
  options.signal?.throwIfAborted()
  const refusal = await requirePossibleJournal(path, 'repairFile')
  // Loaded only when it is needed, as it rarely is.
  const { Repair } = await import('./repair-work.js')
  const source = new FailingFile(nodeFileSystem.open(from, 'read'))
  try {
    assertNotLocked(from)
    return await writeTo(to, from, async (temporary) => {
      const report = await new Repair(nodeFileSystem, source, to, options).writeTo(temporary)
      assertNotLocked(from)
      return report
    })
  } catch (error) {
    throw refusal !== undefined && isNoDatabase(error) ? refusal : error
  } finally {
    source.close()
  }
}

function isNoDatabase(error: unknown): boolean {
  return error instanceof PerdureError && error.code === 'PERDURE_NOT_A_DATABASE'
}

/**
 * Lets `write` make a new file, which gets its name only when it is whole and on the disk.
 *
 * @param like whose owner and permissions it is given
 */
async function writeTo<T>(path: string, like: string, write: (file: OpenFile) => Promise<T>): Promise<T> {
  // So that nobody else makes or opens the same file meanwhile.
  const lock = acquireFileLock(path)
  const temporary = `${path}.new`
  try {
    assertAbsent(path)
    nodeFileSystem.unlink(temporary)
    const file = nodeFileSystem.open(temporary, 'create', like)
    try {
      const result = await write(file)
      file.sync()
      assertAbsent(path)
      nodeFileSystem.rename(temporary, path)
      nodeFileSystem.syncDirectory(path)
      return result
    } catch (error) {
      nodeFileSystem.unlink(temporary)
      throw error
    } finally {
      file.close()
    }
  } finally {
    lock.release()
  }
}

function checkOptions(options: RepairOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) {
    throw new PerdureError('PERDURE_ARGUMENT', `repairFile has no option "${unknown}". It takes ${OPTIONS.join(', ')}.`)
  }
  if (options.keep !== undefined && !KEEP.includes(options.keep)) {
    throw new PerdureError('PERDURE_ARGUMENT', `The option "keep" must be one of ${KEEP.join(', ')}.`)
  }
}

function assertAbsent(path: string): void {
  if (!nodeFileSystem.exists(path)) return
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `${path} exists, and repairFile replaces no file. Move it away, or name another one with { to }.`,
    { details: { path } },
  )
}

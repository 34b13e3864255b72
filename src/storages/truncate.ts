import { PerdureError } from '../core/errors.js'
import type { PointInTime } from '../core/storage.js'
import { acquireFileLock } from '../journal/file-lock.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { canonicalPath } from './canonical-path.js'
import { requireJournal } from './identify.js'
import type { TruncateResult } from './truncate-work.js'

/** Options of {@link truncateAfter}. */
export interface TruncateOptions {
  /** Where the whole file is copied to first. Default: its path with `.before-` and the tid appended. */
  readonly copy?: string
  /** Gives the work up; the database has not been changed then, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

const OPTIONS = ['copy', 'signal']

/**
 * Takes a database file back to a moment of the past, for good: removes every transaction after that. The file is first
 * copied, and the copy is a whole database, too. Nobody may have the file open for writing; readonly handles that are
 * open go on to see what they see.
 *
 * Killed at any moment, it leaves the file either as it was or truncated. Afterwards tids and oids of what was removed
 * are given out again for other things: whoever keeps such numbers outside of the database must forget them. For
 * servers, clients and readonly handles the file is another database from then on.
 *
 * @param at the last transaction to stay, or a time: then the last one that is not later
 * @throws PerdureError `PERDURE_HISTORY` if it is further back than history goes; `PERDURE_ARGUMENT` for a transaction
 *   that does not exist, or if there is a file at the copy's path; `PERDURE_LOCKED` if the file is open for writing;
 *   `PERDURE_CORRUPTION`, `PERDURE_NOT_FOUND`, `PERDURE_NOT_A_DATABASE`, `PERDURE_UNSUPPORTED` for another kind of
 *   storage, `PERDURE_FORMAT_VERSION`, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`; the reason of the signal
 *
 * @example
 * const { copy, removed } = await truncateAfter('bank.perdure', new Date('2026-03-01T09:00Z'))
 * console.log(`${removed} transactions are gone; they are still in ${copy}`)
 */
export async function truncateAfter(
  path: string,
  at: PointInTime,
  options: TruncateOptions = {},
): Promise<TruncateResult> {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `truncateAfter has no option "${unknown}". It takes ${OPTIONS.join(' and ')}.`,
    )
  }
  const { copy, signal } = options
  signal?.throwIfAborted()
  // Loaded only when it is needed, as it rarely is.
  const { Truncation } = await import('./truncate-work.js')
  const file = canonicalPath(path)
  await requireJournal(path, 'truncateAfter')
  // Before the lock, which would be made beside it.
  nodeFileSystem.open(file, 'read').close()
  const lock = acquireFileLock(file)
  try {
    const copyPath = copy === undefined ? undefined : canonicalPath(copy)
    return await new Truncation(nodeFileSystem, file, signal).run(at, copyPath)
  } finally {
    lock.release()
  }
}

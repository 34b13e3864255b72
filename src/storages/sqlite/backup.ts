import { randomBytes } from 'node:crypto'
import { PerdureError } from '../../core/errors.js'
import type { Tid } from '../../core/oid.js'
import { nodeFileSystem } from '../../journal/journal-file.js'
import { canonicalPath } from '../canonical-path.js'
import type { SqliteBackend } from './backend.js'
import { runJob } from './job.js'
import type { BackupJob } from './job-messages.js'
import { assertNoLeftovers } from './leftovers.js'

/** Options of `SqliteStorage.backup`. */
export interface SqliteBackupOptions {
  /**
   * Gives the work up; nothing is left of it then, and the promise rejects with the signal's reason. What SQLite does at the
   * moment is ended first.
   */
  readonly signal?: AbortSignal
}

/** Reported by `SqliteStorage.backup`. */
export interface SqliteBackupResult {
  /** Newest transaction of the copy. */
  readonly tid: Tid
  /** Size of the copy. */
  readonly bytes: number
}

/** Writes a copy beside its place, and moves it there when it is whole. */
export async function backUpDatabase(
  { path, settings }: SqliteBackend,
  location: string,
  options: SqliteBackupOptions,
): Promise<SqliteBackupResult> {
  check(location, options)
  const place = canonicalPath(location)
  if (nodeFileSystem.exists(place)) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `There is a file at ${place} already. Choose another name, or remove it.`,
      {
        details: { path: place },
      },
    )
  }
  assertNoLeftovers(place)
  const target = `${place}.${randomBytes(8).toString('hex')}.draft`
  try {
    const { cacheBytes } = settings
    const result = await runJob<BackupJob>({ job: 'back-up', path, cacheBytes, target }, { signal: options.signal })
    nodeFileSystem.rename(target, place)
    nodeFileSystem.syncDirectory(place)
    return result
  } catch (error) {
    for (const name of [target, `${target}-journal`]) nodeFileSystem.unlink(name)
    throw error
  }
}

function check(location: unknown, options: SqliteBackupOptions): void {
  const unknown = Object.keys(options).find((name) => name !== 'signal')
  if (unknown !== undefined) {
    throw new PerdureError('PERDURE_ARGUMENT', `backup has no option "${unknown}". It takes signal.`)
  }
  if (typeof location === 'string' && location !== '') return
  throw new PerdureError('PERDURE_ARGUMENT', 'backup takes the path of the copy.')
}

import { statSync } from 'node:fs'
import { PerdureError } from '../../core/errors.js'
import { fileError } from '../../journal/journal-file.js'

/**
 * Sees to it that nothing is left beside a place of a database that was there once. SQLite would take it for a part of
 * the new one: https://sqlite.org/howtocorrupt.html, section 1.4. It is not removed either, because it may be all that
 * there is of the last commits of a database that was only moved away.
 *
 * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_PERMISSION`, `PERDURE_IO`
 */
export function assertNoLeftovers(path: string): void {
  for (const name of [`${path}-wal`, `${path}-journal`]) {
    if (sizeOf(name) === 0) continue
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `${name} belongs to a database that is not at ${path} any more, and would be taken for a part of the new one. Put that database back, or remove the file.`,
      { details: { path: name } },
    )
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0
  } catch (error) {
    throw fileError(error, path, 'look at')
  }
}

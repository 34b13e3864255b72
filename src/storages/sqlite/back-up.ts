import { statSync } from 'node:fs'
import { nodeFileSystem } from '../../journal/journal-file.js'
import type { SqliteConnection, SqliteEngine } from './engine.js'
import type { BackupJob } from './job-messages.js'
import { openForReading } from './open-for-reading.js'
import { Reader } from './reader.js'

/**
 * Writes a copy of the database to a new file, which is whole when this returns and would survive a power cut.
 *
 * `VACUUM INTO` reads in one transaction, so that the copy is what there was at one moment, and writes pages without
 * gaps: https://sqlite.org/lang_vacuum.html.
 *
 * @throws PerdureError `PERDURE_NO_SPACE`, `PERDURE_IO`, `PERDURE_PERMISSION`, `PERDURE_CORRUPTION`
 */
export function backUp(
  engine: SqliteEngine,
  connection: SqliteConnection,
  { target, cacheBytes }: BackupJob['data'],
): BackupJob['result'] {
  connection.prepare('vacuum into ?').run(target)
  const file = nodeFileSystem.open(target, 'write')
  try {
    file.sync()
  } finally {
    file.close()
  }
  const copy = openForReading(engine, target, cacheBytes)
  try {
    return { tid: new Reader(copy).newest().tid, bytes: statSync(target).size }
  } finally {
    copy.close()
  }
}

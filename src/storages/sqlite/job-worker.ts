import { parentPort, workerData } from 'node:worker_threads'
import { packError } from '../../core/errors.js'
import { backUp } from './back-up.js'
import { checkFile } from './check-file.js'
import type { SqliteConnection, SqliteEngine } from './engine.js'
import type { AnyJob } from './job.js'
import { loadSqlite } from './load-engine.js'
import { openForReading } from './open-for-reading.js'
import { survey } from './survey.js'

/*
 * The entry of the thread of a job: see job.ts.
 */

function run(engine: SqliteEngine, connection: SqliteConnection, data: AnyJob['data']): AnyJob['result'] {
  switch (data.job) {
    case 'survey':
      return survey(connection, data, (progress) => parentPort?.postMessage({ type: 'progress', progress }))
    case 'check':
      return checkFile(connection)
    case 'back-up':
      return backUp(engine, connection, data)
  }
}

const data = workerData as AnyJob['data']

try {
  const engine = await loadSqlite()
  const connection = openForReading(engine, data.path, data.cacheBytes)
  try {
    parentPort?.postMessage({ type: 'done', result: run(engine, connection, data) })
  } finally {
    connection.close()
  }
} catch (error) {
  parentPort?.postMessage({ type: 'failed', error: packError(error) })
}

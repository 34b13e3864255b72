import { PerdureError } from '../../core/errors.js'
import type { SqliteEngine } from './engine.js'

/** The first version of Node whose own SQLite is taken: before it, it was called an experiment, or was not there. */
const FIRST_NODE = 24

let loading: Promise<SqliteEngine> | undefined

/**
 * The engine for this process: what Node has built in from version 24 on, and the package libsql before.
 *
 * @throws PerdureError `PERDURE_UNSUPPORTED` if libsql is needed and not installed, with the line that installs it
 */
export function loadSqlite(): Promise<SqliteEngine> {
  loading ??= load()
  return loading
}

async function load(): Promise<SqliteEngine> {
  if (Number.parseInt(process.versions.node, 10) >= FIRST_NODE) return (await import('./node-engine.js')).nodeEngine()
  try {
    return (await import('./libsql-engine.js')).libsqlEngine
  } catch (cause) {
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      `SQLite databases need the package libsql on Node ${process.versions.node}. Install it: npm install libsql. (Node ${FIRST_NODE} and newer have SQLite built in.)`,
      { cause },
    )
  }
}

import { PerdureError } from '../../core/errors.js'
import { bytes, type SqliteConnection, textOf } from './engine.js'

/** Of each statement that makes something: what it makes, and the name of it. */
const CREATION = /^create (?:unique )?(?:table|index|view) (\w+)/

/**
 * Sees to it that our tables are those that we make, and that nothing else works on them. Under their names a forged
 * file could have views that never end, and by triggers or computed columns it could decide what is stored. Other tables
 * and views may be there, which we never use.
 *
 * @param tables the statements that make ours
 * @throws PerdureError `PERDURE_CORRUPTION`
 */
export function checkTables(connection: SqliteConnection, tables: string): void {
  const missing = new Map<string, string>()
  for (const statement of tables.split(';').map(normalized)) {
    const name = CREATION.exec(statement)?.[1]
    if (name !== undefined) missing.set(name, statement)
  }
  const ours = new Set(missing.keys())
  const rows = connection
    .prepare<[Uint8Array | null, Uint8Array | null, Uint8Array | null]>(
      `select ${bytes('name')}, ${bytes('tbl_name')}, ${bytes('sql')} from sqlite_schema`,
    )
    .all()
  for (const row of rows) {
    const [name, table, sql] = row.map(textOf).map(normalized) as [string, string, string]
    if (!ours.has(name) && !ours.has(table)) continue
    // SQLite makes an index of its own for the key of a table, without a statement.
    if (sql === '' && name.startsWith('sqlite_autoindex_')) continue
    if (missing.get(name) !== sql) throw notOurs(connection.path, name)
    missing.delete(name)
  }
  for (const name of missing.keys()) throw notOurs(connection.path, name)
}

/** SQLite writes its own key words in capitals, and names as they were. */
function normalized(text: string): string {
  return text.replace(/\s+/g, ' ').trim().toLowerCase()
}

function notOurs(path: string, name: string): PerdureError {
  return new PerdureError(
    'PERDURE_CORRUPTION',
    `${path} is damaged: ${name} is not as Perdure makes it, or is missing. Drop what was added to its tables, or restore a backup.`,
    { details: { path, name } },
  )
}

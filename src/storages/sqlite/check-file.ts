import { bytes, type SqliteConnection, textOf } from './engine.js'

/** What SQLite finds wrong with the file, the first 100 things: https://sqlite.org/pragma.html#pragma_integrity_check. */
export function checkFile(connection: SqliteConnection): string[] {
  const rows = connection.prepare<[Uint8Array]>(`select ${bytes('integrity_check')} from pragma_integrity_check`).all()
  const problems = rows.map(([text]) => textOf(text))
  return problems.length === 1 && problems[0] === 'ok' ? [] : problems
}

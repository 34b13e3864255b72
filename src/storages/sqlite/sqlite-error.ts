import { type ErrorCode, PerdureError } from '../../core/errors.js'

/** Codes by SQLite's primary result codes: https://sqlite.org/rescode.html. */
const CODES = new Map<number, { code: ErrorCode; advice: string }>([
  // All statements are fixed, so an error in one means that the tables are not those they should be.
  [1, { code: 'PERDURE_CORRUPTION', advice: 'Its tables are not as they should be. Restore a backup.' }],
  [3, { code: 'PERDURE_PERMISSION', advice: 'Check the permissions of the file and of its directory.' }],
  [5, { code: 'PERDURE_LOCKED', advice: 'Another program has it locked. Try again when that is done.' }],
  [6, { code: 'PERDURE_LOCKED', advice: 'Another connection has it locked. Try again when that is done.' }],
  [7, { code: 'PERDURE_LIMIT', advice: 'There is too little memory.' }],
  [
    8,
    { code: 'PERDURE_READONLY', advice: 'It cannot be written. Check the permissions of the file and its directory.' },
  ],
  [11, { code: 'PERDURE_CORRUPTION', advice: 'Restore a backup, or see what the sqlite3 program can recover.' }],
  [13, { code: 'PERDURE_NO_SPACE', advice: 'Free some space on the disk, then open the database again.' }],
  [14, { code: 'PERDURE_PERMISSION', advice: 'Check the path, and the permissions of the file and its directory.' }],
  [18, { code: 'PERDURE_LIMIT', advice: 'SQLite takes no more than 1,000,000,000 bytes in one row.' }],
  // A row that is there twice, or lacks something, which no statement can bring about.
  [19, { code: 'PERDURE_CORRUPTION', advice: 'Its tables are not as they should be. Restore a backup.' }],
  [23, { code: 'PERDURE_PERMISSION', advice: 'Check the permissions of the file and of its directory.' }],
  [24, { code: 'PERDURE_FORMAT_VERSION', advice: 'It was written by a newer SQLite.' }],
  [26, { code: 'PERDURE_NOT_A_DATABASE', advice: 'It is no SQLite database, or its beginning is damaged.' }],
])

/** The file ends before something that should be in it. */
const IOERR_SHORT_READ = 522

/** A page's checksum is wrong, where a file system or an extension keeps one. */
const IOERR_DATA = 8202

/** The one place where an error of SQLite becomes a PerdureError. */
export function sqliteError(path: string, number: number | undefined, message: string, cause: unknown): PerdureError {
  const primary = number === IOERR_SHORT_READ || number === IOERR_DATA ? 11 : (number ?? 10) & 0xff
  const { code, advice } = CODES.get(primary) ?? { code: 'PERDURE_IO' as const, advice: 'The disk may be failing.' }
  return new PerdureError(code, `${path}: ${message} (SQLite error ${number ?? 'unknown'}). ${advice}`, {
    details: { path, sqlite: number },
    cause,
  })
}

export function connectionClosed(path: string): PerdureError {
  return new PerdureError('PERDURE_CLOSED', `${path} has been closed.`, { details: { path } })
}

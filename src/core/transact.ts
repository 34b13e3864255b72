import type { Connection } from './connection.js'
import type { CommitOptions, ConnectionOptions } from './connection-options.js'
import { ConflictError, PerdureError } from './errors.js'

/** Options of `Database.transact`. */
export interface TransactOptions extends ConnectionOptions, CommitOptions {
  /** How often to run the function again after a conflict, or when the connection to the server was lost; 10 unless given. */
  readonly retries?: number
}

const DEFAULT_RETRIES = 10

/** The first wait after a conflict is at most this long, in ms; it doubles with each further one. */
const FIRST_BACKOFF_MS = 2
const LONGEST_BACKOFF_MS = 250

/** Runs `work` on a connection and commits, again and again until it goes through. See `Database.transact`. */
export async function runTransaction<Root extends object, T>(
  connection: Connection<Root>,
  work: (root: Root, connection: Connection<Root>) => T | Promise<T>,
  remarks: CommitOptions,
  retries = DEFAULT_RETRIES,
): Promise<T> {
  const { commits } = connection.statistics
  for (let attempt = 0; ; attempt++) {
    try {
      const result = await work(connection.root, connection)
      await connection.commit(remarks)
      return result
    } catch (error) {
      if (!mayHelpToRepeat(error) || !(attempt < retries)) throw error
      // What `work` has committed itself would be stored twice.
      if (connection.statistics.commits > commits) throw error
      connection.abort()
      await backOff(attempt)
    }
  }
}

/** After these, surely nothing was stored. */
function mayHelpToRepeat(error: unknown): boolean {
  return error instanceof ConflictError || (error instanceof PerdureError && error.code === 'PERDURE_DISCONNECTED')
}

/** Waits a random time whose upper bound doubles with each attempt, so that rivals do not meet again. */
function backOff(attempt: number): Promise<void> {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt)
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest))
}

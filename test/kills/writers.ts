import type { Database } from '../../src/core/database.js'
import { commitNext, type Ledger } from './ledger.js'
import { tell } from './victim-messages.js'

/** Commits through one connection for each writer, all at the same time, until the process is killed. */
export async function runWriters(database: Database<Ledger>, writers: readonly number[]): Promise<never> {
  return Promise.race(
    writers.map(async (writer) => {
      const connection = await database.connect()
      for (;;) tell({ kind: 'committed', writer, ...(await commitNext(connection, writer)) })
    }),
  )
}

import { once } from 'node:events'
import { parentPort } from 'node:worker_threads'
import { open } from '../../src/open.js'
import { ledgerClasses, type Page } from './ledger.js'
import { runWriters } from './writers.js'

/** What an application thread of a victim is sent once the file is open. */
export interface ThreadTask {
  readonly handle: object
  readonly writers: readonly number[]
}

if (parentPort === null) throw new Error('This is the program of a worker thread.')
const [{ handle, writers }] = (await once(parentPort, 'message')) as [ThreadTask]
await runWriters(await open<Record<string, Page>>(handle, { classes: ledgerClasses }), writers)

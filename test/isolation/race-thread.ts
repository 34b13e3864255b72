import { parentPort, workerData } from 'node:worker_threads'
import { open } from '../../src/open.js'
import { type RaceOptions, runClients } from './race-client.js'
import { Counter } from './race-models.js'

/** What an application thread of a race needs: a handle on the database, and the work of each of its clients. */
export interface RaceTask {
  readonly handle: object
  readonly clients: readonly RaceOptions[]
  readonly writers: SharedArrayBuffer
}

const { handle, clients, writers } = workerData as RaceTask
const database = await open<Record<string, Counter>>(handle, { classes: [Counter] })
const results = await runClients(database, clients, new Int32Array(writers))
await database.close()
parentPort?.postMessage(results)

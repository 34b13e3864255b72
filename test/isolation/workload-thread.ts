import { parentPort, workerData } from 'node:worker_threads'
import { open } from '../../src/open.js'
import { Client } from './client.js'
import { type AppendList, listClasses } from './lists.js'
import { SharedClock } from './shared-clock.js'
import type { WorkloadTask } from './workload.js'

/** An application thread that runs clients on a storage which another thread has opened. */
const { handle, clock, clients, options } = workerData as WorkloadTask
const database = await open<Record<string, AppendList>>(handle, { classes: listClasses })
const shared = new SharedClock(clock)
const histories = await Promise.all(clients.map((number) => new Client(database, shared, options, number).run()))
await database.close()
parentPort?.postMessage(histories.flat())

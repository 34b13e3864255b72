import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Database, open } from 'perdure'
import { Counter, type Counters, type Done, NAMES, type Work } from './counter.js'

const THREADS = 3
const INCREMENTS = 100

// Without a path the database is temporary: it is removed when it is closed.
await using db = await open<Record<string, Counter>>(undefined, { classes: [Counter] })
await db.transact((counters) => {
  for (const name of NAMES) counters.set(name, new Counter())
})
console.log(`${THREADS} threads count ${INCREMENTS} times each, at the same time, in one database.`)

const startedAtMs = performance.now()
const done = await Promise.all(Array.from({ length: THREADS }, () => runWorker(db)))
const seconds = (performance.now() - startedAtMs) / 1000
const repeated = done.reduce((sum, worker) => sum + worker.repeated, 0)
console.log(`They took ${seconds.toFixed(2)} s, and began ${repeated} transactions again because of each other.`)

const total = await db.view((counters) => {
  for (const [name, { count }] of counters.entries()) console.log(`  ${name.padEnd(8)} ${String(count).padStart(4)}`)
  return [...counters.values()].reduce((sum, { count }) => sum + count, 0)
})
if (total !== THREADS * INCREMENTS) throw new Error(`Counted ${total} instead of ${THREADS * INCREMENTS}.`)
console.log(`Together ${total}: not one increment was lost.`)

/** Starts a thread with a handle of its own on the open database, and waits until it is done. */
async function runWorker(database: Database<Counters>): Promise<Done> {
  const { handle, transferList } = database.share()
  const workerData: Work = { handle, increments: INCREMENTS }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, transferList: [...transferList] })
  const [[message]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [[Done], unknown]
  return message
}

import { parentPort, threadId, workerData } from 'node:worker_threads'
import { open } from 'perdure'
import { Counter, type Done, NAMES, type Work } from './counter.js'

const { handle, increments } = workerData as Work

// The same storage as in the main thread: this one reads the file itself, and its commits join the same order.
const db = await open<Record<string, Counter>>(handle, { classes: [Counter] })
let attempts = 0
for (let i = 0; i < increments; i++) {
  const name = NAMES[(i + threadId) % NAMES.length] as string
  await db.transact(
    (counters) => {
      attempts++
      const counter = counters.get(name)
      if (counter === undefined) throw new Error(`There is no counter of ${name}.`)
      counter.count++
    },
    { retries: 100 },
  )
}
await db.close()
const done: Done = { repeated: attempts - increments }
parentPort?.postMessage(done)

import { finishPeers, prepareDatabase } from './stores.mjs'
import { SUITES } from './suites.mjs'

// One task of run.mjs, in a process of its own: nothing that was measured before can disturb it.
const task = JSON.parse(process.argv[2])
const result =
  task.action === 'prepare'
    ? await prepareDatabase(task.peer, task.path, task.database)
    : await SUITES[task.suite].measure(task)
await finishPeers()
process.send(result ?? null, () => process.disconnect())

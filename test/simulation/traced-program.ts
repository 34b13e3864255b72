import { setImmediate as nextTurn } from 'node:timers/promises'
import { FileStorage } from '../../src/storages/file.js'
import { CHECKPOINT_BYTES, requests } from './traced-workload.js'

/*
 * Runs the traced workload on a real FileStorage with its thread, to be watched by strace.
 *
 *   node traced-program.js PATH CHECKPOINTS
 */

const [path, expected] = process.argv.slice(2)
if (path === undefined || expected === undefined) throw new Error('Which database, and how many checkpoints?')

for (const checkpoints of JSON.parse(expected) as number[][]) {
  const storage = await FileStorage.open(path, { checkpointBytes: CHECKPOINT_BYTES })
  for (const [i, request] of requests(storage.statistics().tid).entries()) {
    await storage.commit(request)
    // The thread writes a checkpoint when nobody commits. Waiting for it makes the order of all writes certain.
    while (storage.statistics()['checkpoints'] !== checkpoints[i]) await nextTurn()
  }
  await storage.close()
}

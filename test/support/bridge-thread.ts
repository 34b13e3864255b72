import { workerData } from 'node:worker_threads'
import { BridgeEnd, type BridgeWorkerData } from '../../src/workers/sync-bridge.js'

/** What the thread is to do with a message; it answers with the number. */
export interface BridgeOrder {
  readonly number: number
  readonly then?: 'exit' | 'throw' | 'spin' | 'close'
  readonly afterMs?: number
}

const end = new BridgeEnd<BridgeOrder, number>(workerData as BridgeWorkerData<unknown>, ({ number, then, afterMs }) => {
  if (then === 'spin') for (;;);
  if (then === 'exit') process.exit()
  if (then === 'throw') throw new Error('on purpose')
  if (then === 'close') end.close()
  else if (afterMs === undefined) end.post(number)
  else setTimeout(() => end.post(number), afterMs)
})

import { workerData } from 'node:worker_threads'
import { BridgeEnd, type BridgeWorkerData } from '../../src/workers/sync-bridge.js'

/** What the thread is to do with a message; it answers with the number. */
export interface BridgeOrder {
  readonly number: number
  readonly act?: 'exit' | 'throw' | 'spin' | 'close'
  readonly afterMs?: number
}

const end = new BridgeEnd<BridgeOrder, number>(workerData as BridgeWorkerData<unknown>, ({ number, act, afterMs }) => {
  if (act === 'spin') for (;;);
  if (act === 'exit') process.exit()
  if (act === 'throw') throw new Error('on purpose')
  if (act === 'close') end.close()
  else if (afterMs === undefined) end.post(number)
  else setTimeout(() => end.post(number), afterMs)
})

import { workerData } from 'node:worker_threads'
import '../../src/storages/client/bridge.js'
import type { ToBridge } from '../../src/storages/client/bridge-messages.js'
import type { BridgeWorkerData } from '../../src/workers/sync-bridge.js'

/** The thread of a client, which dies when it is to send something. */
const { port } = workerData as BridgeWorkerData<unknown>
port.on('message', (message: ToBridge | null) => {
  if (message?.type === 'send') process.exit()
})

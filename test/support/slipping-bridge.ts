import { workerData } from 'node:worker_threads'
import { PerdureError, packError } from '../../src/core/errors.js'
import { FrameReader } from '../../src/server/protocol/frame-reader.js'
import { decodeClientMessage, encodeServerMessage } from '../../src/server/protocol/message-frames.js'
import { DEFAULT_LIMITS, PROTOCOL_VERSION, type Reply, type ServerNotice } from '../../src/server/protocol/messages.js'
import type { FromBridge, ToBridge } from '../../src/storages/client/bridge-messages.js'
import { BridgeEnd, type BridgeWorkerData } from '../../src/workers/sync-bridge.js'

/** The newest transaction of the database that this thread pretends to have. */
const NEWEST = 5

/**
 * The thread of a client, and its server as well. It loses the connection right after it has answered a request for a
 * snapshot of the past.
 */
const end = new BridgeEnd<ToBridge, FromBridge>(workerData as BridgeWorkerData<unknown>, receive)

function receive(message: ToBridge): void {
  if (message.type === 'connect') welcome(message.connection)
  else if (message.type === 'send') answer(message.connection, message.bytes)
  else if (message.type === 'end') end.close()
}

function welcome(connection: number): void {
  const welcome = {
    version: PROTOCOL_VERSION,
    limits: DEFAULT_LIMITS,
    serverId: 'one',
    databaseId: 'one',
    location: 'nowhere',
    serializer: 'json',
    capabilities: ['history'] as const,
    readonly: false,
    role: 'admin' as const,
  }
  end.post({ type: 'connected', connection, welcome })
}

function answer(connection: number, bytes: Uint8Array): void {
  const reader = new FrameReader(DEFAULT_LIMITS.frameBytes)
  reader.push(Buffer.from(bytes))
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    const { request, message } = decodeClientMessage(frame)
    if (message.type !== 'snapshot') continue
    const tid = message.at !== undefined && 'tid' in message.at ? message.at.tid : NEWEST
    post(connection, 0, { type: 'changed', after: 0, upTo: tid, oids: undefined })
    post(connection, request, { type: 'snapshot', snapshot: 1, tid })
    if (message.at === undefined) continue
    const error = packError(new PerdureError('PERDURE_DISCONNECTED', 'The connection was lost.'))
    end.post({ type: 'lost', connection, error })
  }
}

function post(connection: number, request: number, message: Reply | ServerNotice): void {
  end.post({ type: 'received', connection, bytes: Uint8Array.from(encodeServerMessage(request, message)) })
}

import { workerData } from 'node:worker_threads'
import { type ErrorCode, PerdureError, packError } from '../../src/core/errors.js'
import { FrameReader } from '../../src/server/protocol/frame-reader.js'
import { decodeClientMessage, encodeServerMessage } from '../../src/server/protocol/message-frames.js'
import {
  DEFAULT_LIMITS,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  type ServerNotice,
  type Welcome,
} from '../../src/server/protocol/messages.js'
import type { FromBridge, ToBridge } from '../../src/storages/client/bridge-messages.js'
import { BridgeEnd, type BridgeWorkerData } from '../../src/workers/sync-bridge.js'

/** What happens to the client. */
export type Play =
  /** The connection is lost right after each answer to a request for a snapshot of the past. */
  | 'lose the past'
  /** The first connection is lost by a commit, which is stored. The server is away for a while, and is then another one. */
  | 'stay away'
  /** The server takes one request at a time, and takes its time over commits. */
  | 'be slow'

/** The newest transaction of the database that this thread pretends to have. */
const NEWEST = 5

/** With so many attempts to connect the server is not there, after the first one. */
const ATTEMPTS_AWAY = 3

const COMMIT_MS = 150

const { play } = workerData as BridgeWorkerData<unknown> & { readonly play: Play }

/** The thread of a client, and its server as well. */
const end = new BridgeEnd<ToBridge, FromBridge>(workerData as BridgeWorkerData<unknown>, (message) => {
  if (message.type === 'connect') connect(message.connection)
  else if (message.type === 'send') receive(message.connection, message.bytes)
  else if (message.type === 'end') end.close()
})

function connect(connection: number): void {
  if (play === 'stay away' && connection > 1 && connection <= 1 + ATTEMPTS_AWAY) {
    end.post({ type: 'failed', connection, error: problem('PERDURE_TIMEOUT') })
    return
  }
  const welcome: Welcome = {
    version: PROTOCOL_VERSION,
    limits: play === 'be slow' ? { ...DEFAULT_LIMITS, requests: 1 } : DEFAULT_LIMITS,
    serverId: play === 'stay away' ? String(connection) : 'one',
    databaseId: 'one',
    location: 'nowhere',
    serializer: 'json',
    capabilities: ['history'],
    readonly: false,
    role: 'admin',
  }
  end.post({ type: 'connected', connection, welcome })
}

function receive(connection: number, bytes: Uint8Array): void {
  const reader = new FrameReader(DEFAULT_LIMITS.frameBytes)
  reader.push(Buffer.from(bytes))
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    const { request, message } = decodeClientMessage(frame)
    if (request > 0) answer(connection, request, message as Request)
  }
}

function answer(connection: number, id: number, request: Request): void {
  switch (request.type) {
    case 'snapshot': {
      const tid = request.at !== undefined && 'tid' in request.at ? request.at.tid : NEWEST
      post(connection, 0, { type: 'changed', after: 0, upTo: tid, oids: undefined })
      post(connection, id, { type: 'snapshot', snapshot: 1, tid })
      if (request.at !== undefined) end.post({ type: 'lost', connection, error: problem('PERDURE_DISCONNECTED') })
      break
    }
    case 'allocate':
      post(connection, id, { type: 'allocated', first: 100 })
      break
    case 'commit':
      if (play === 'be slow') setTimeout(() => post(connection, id, { type: 'committed', tid: NEWEST + 1 }), COMMIT_MS)
      else if (connection === 1) end.post({ type: 'lost', connection, error: problem('PERDURE_DISCONNECTED') })
      else post(connection, id, { type: 'committed', tid: NEWEST + 1 })
      break
    case 'ping':
      post(connection, id, { type: 'done' })
      break
    case 'outcome':
      post(connection, id, { type: 'outcome', outcome: 'committed', tid: NEWEST })
  }
}

function post(connection: number, request: number, message: Reply | ServerNotice): void {
  end.post({ type: 'received', connection, bytes: Uint8Array.from(encodeServerMessage(request, message)) })
}

function problem(code: ErrorCode) {
  return packError(new PerdureError(code, 'A test says so.'))
}

import type { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'
import { PerdureError, packError } from '../../core/errors.js'
import { formatAddress } from '../../server/address.js'
import { BridgeEnd, type BridgeWorkerData } from '../../workers/sync-bridge.js'
import { Backlog, type BridgeSettings, type FromBridge, type ToBridge } from './bridge-messages.js'
import { dial } from './dial.js'

/*
 * The entry of the thread that has the client's socket. It connects and logs in when it is told to; apart from that it
 * only moves bytes, so that the application's thread can be answered while it waits in a synchronous load.
 */

const { settings } = workerData as BridgeWorkerData<BridgeSettings>
const peer = formatAddress(settings.address)
const backlog = new Backlog(settings.backlog)
const end = new BridgeEnd<ToBridge, FromBridge>(workerData as BridgeWorkerData<BridgeSettings>, receive)

/** The number of the newest connection, and its socket once it may be used. */
let newest = 0
let socket: Socket | undefined
let dialing: AbortController | undefined

function receive(message: ToBridge): void {
  switch (message.type) {
    case 'connect':
      void connect(message.connection, message.limitMs)
      break
    case 'send':
      if (message.connection === newest) socket?.write(message.bytes)
      break
    case 'drop':
      if (message.connection === newest) drop()
      break
    case 'resume':
      socket?.resume()
      break
    case 'end':
      dialing?.abort()
      socket?.end(message.bytes)
      end.close()
      break
  }
}

async function connect(connection: number, limitMs: number): Promise<void> {
  drop()
  newest = connection
  const attempt = new AbortController()
  dialing = attempt
  try {
    const { socket: dialed, welcome, rest } = await dial(settings, limitMs, attempt.signal)
    if (attempt.signal.aborted) {
      dialed.destroy()
      return
    }
    socket = dialed
    end.post({ type: 'connected', connection, welcome })
    if (rest.length > 0) forward(connection, dialed, rest)
    listen(connection, dialed)
  } catch (error) {
    if (!attempt.signal.aborted) end.post({ type: 'failed', connection, error: packError(error) })
  } finally {
    if (dialing === attempt) dialing = undefined
  }
}

function drop(): void {
  dialing?.abort()
  socket?.destroy()
  socket = undefined
}

function listen(connection: number, open: Socket): void {
  let problem: Error | undefined
  open.on('data', (chunk: Buffer) => forward(connection, open, chunk))
  open.on('error', (error) => {
    problem = error
  })
  open.on('end', () => open.end())
  open.on('close', () => {
    if (connection !== newest || socket !== open) return
    socket = undefined
    end.post({ type: 'lost', connection, error: packError(connectionLost(problem)) })
  })
  open.resume()
}

/** A chunk that has memory of its own changes hands without being copied. */
function forward(connection: number, from: Socket, chunk: Buffer): void {
  const bytes = chunk.length === chunk.buffer.byteLength ? chunk : Uint8Array.from(chunk)
  // Counted before it is sent: what can be consumed has been counted.
  if (backlog.received(bytes.length)) from.pause()
  end.post({ type: 'received', connection, bytes }, [bytes.buffer as ArrayBuffer])
}

function connectionLost(problem: Error | undefined): PerdureError {
  const why = problem === undefined ? 'the server closed it' : problem.message
  return new PerdureError('PERDURE_DISCONNECTED', `The connection to ${peer} was lost: ${why}.`, {
    details: { peer },
    ...(problem !== undefined && { cause: problem }),
  })
}

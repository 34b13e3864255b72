import type { Socket } from 'node:net'
import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { PeerContext } from './authentication.js'
import type { ServerEvent, ServerLog } from './server-log.js'
import type { SessionFactory, SessionHost, SharedServices } from './session-host.js'
import { SocketTransport } from './socket-transport.js'
import type { ServerSession } from './transport.js'

/** What a connection needs of its server. */
export interface ConnectionServer {
  readonly services: SharedServices
  readonly protocols: ReadonlyMap<number, SessionFactory>
  readonly log: ServerLog
  readonly handshakeTimeoutMs: number
  requestStop(): void
  welcomed(connection: ClientConnection): void
  forget(connection: ClientConnection): void
}

/** The first byte of a TLS handshake. */
const TLS_HANDSHAKE = 0x16

/** One accepted socket: finds out which protocol its client speaks, and lets the session of that protocol do the rest. */
export class ClientConnection implements SessionHost {
  readonly services: SharedServices
  readonly session: number
  readonly #server: ConnectionServer
  readonly #socket: Socket
  readonly #transport: SocketTransport
  readonly #startedAt = performance.now()
  readonly #closed: Promise<void>
  #handshakeTimer: NodeJS.Timeout | undefined
  #speaker: ServerSession | undefined
  #error: Error | undefined
  #bytesIn = 0
  #user: string | undefined
  #protocol: 1 | 2 | undefined
  #commits = 0
  #conflicts = 0

  constructor(server: ConnectionServer, session: number, socket: Socket, context: PeerContext) {
    this.services = server.services
    this.session = session
    this.#server = server
    this.#socket = socket
    this.#transport = new SocketTransport(socket, context, server.services.statistics)
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve(this.#finish())))
    this.#handshakeTimer = setTimeout(() => this.#giveUp(), server.handshakeTimeoutMs)
    this.#handshakeTimer.unref()
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('drain', () => this.#speaker?.drained())
    socket.on('end', () => socket.end())
    socket.on('error', (error) => {
      this.#error ??= error
    })
    this.log({ event: 'connected' })
  }

  welcomed(): void {
    clearTimeout(this.#handshakeTimer)
    this.#server.welcomed(this)
  }

  blame(error: Error): void {
    this.services.statistics.refusals++
    this.#error = error
  }

  log(event: Parameters<SessionHost['log']>[0]): void {
    this.#note(event)
    this.#server.log.write({ ...event, session: this.session, peer: this.#transport.peer } as ServerEvent)
  }

  requestStop(): void {
    this.#server.requestStop()
  }

  tick(newestTid: Tid | undefined): boolean {
    return this.#speaker?.tick(newestTid) ?? false
  }

  /** Lets the session finish what is under way; resolves when the connection is closed. */
  async stop(): Promise<void> {
    if (this.#speaker === undefined) this.#socket.destroy()
    else await Promise.race([this.#speaker.stop(), this.#closed])
    await this.#closed
  }

  /** Ends it for others' sake. */
  giveWay(): void {
    this.#refuse(new PerdureError('PERDURE_LIMIT', 'The client had to give way to others before it was let in.'))
  }

  /** Ends it at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Keeps what the last line about the connection is to tell. */
  #note(event: Parameters<SessionHost['log']>[0]): void {
    if (event.event === 'committed') this.#commits++
    else if (event.event === 'conflict') this.#conflicts++
    else if (event.event === 'welcomed') {
      this.#user = event.user
      this.#protocol = event.protocol
    }
  }

  #receive(chunk: Buffer): void {
    this.#bytesIn += chunk.length
    this.services.statistics.bytesIn += chunk.length
    try {
      this.#speaker ??= this.#choose(chunk)
      this.#speaker.receive(chunk)
    } catch (error) {
      this.#refuse(error as Error)
    }
  }

  #choose(chunk: Buffer): ServerSession {
    const first = chunk[0] as number
    const factory = this.#server.protocols.get(first)
    if (factory !== undefined) return factory(this.#transport, this)
    const what = first === TLS_HANDSHAKE ? 'with TLS, which is not used here' : `with the byte ${first}`
    throw new PerdureError('PERDURE_PROTOCOL', `The connection began ${what}. This is a Perdure server.`)
  }

  #giveUp(): void {
    const { handshakeTimeoutMs: timeoutMs } = this.#server
    const message = `The client was not let in within ${timeoutMs} ms.`
    this.#refuse(new PerdureError('PERDURE_TIMEOUT', message, { details: { timeoutMs } }))
  }

  #refuse(error: Error): void {
    this.blame(error)
    this.#socket.destroy()
  }

  #finish(): void {
    clearTimeout(this.#handshakeTimer)
    this.#speaker?.ended()
    this.log({
      event: 'disconnected',
      error: this.#error,
      user: this.#user,
      protocol: this.#protocol,
      commits: this.#commits,
      conflicts: this.#conflicts,
      durationMs: performance.now() - this.#startedAt,
      bytesIn: this.#bytesIn,
      bytesOut: this.#transport.bytesOut,
    })
    this.#server.forget(this)
  }
}

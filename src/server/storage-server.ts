import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { PerdureError } from '../core/errors.js'
import type { Storage } from '../core/storage.js'
import type { Authenticator, PeerContext } from './authentication.js'
import { ChangeTeller } from './change-teller.js'
import { ClientConnection } from './client-connection.js'
import { CommitGate } from './commit-gate.js'
import type { Protocol1Limits } from './durus/limits.js'
import { protocol1 } from './durus/protocol-1.js'
import { Protocol1Service } from './durus/service.js'
import { newestTid, OutcomeRegister } from './outcome-register.js'
import { LEAST_LIMITS } from './protocol/limit-codec.js'
import { DEFAULT_LIMITS, type Limits, PREFACE } from './protocol/messages.js'
import { type ServerLog, SILENT } from './server-log.js'
import { type ServerFigures, ServerStatistics } from './server-statistics.js'
import { Session } from './session.js'
import type { SessionFactory, SharedServices } from './session-host.js'
import { TurnLimit } from './turn-limit.js'

const DEFAULT_MAX_CONNECTIONS = 10_000
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000
const DEFAULT_STOP_TIMEOUT_MS = 10_000
const TICK_MS = 1000

/** So many idle clients are told of changes in one tick, and no more. */
const TOLD_PER_TICK = 200

export interface StorageServerOptions {
  /** What is served. The server does not close it. */
  readonly storage: Storage
  /** Who may connect. See `anonymous` for letting everybody in. */
  readonly authenticator: Authenticator
  readonly limits?: Partial<Limits>
  /**
   * When there are more, the oldest connection that has not been let in yet gives way; if there is none, the new client
   * is turned away. Default 10,000.
   */
  readonly maxConnections?: number
  /** How long a client has to be let in, in ms. Default 10,000. */
  readonly handshakeTimeoutMs?: number
  /** How long {@link StorageServer.stop} waits for clients, in ms. Default 10,000. */
  readonly stopTimeoutMs?: number
  /** Whether clients may end the server. Default: false. */
  readonly allowStop?: boolean
  /** The identity of the database, if it is known. */
  readonly databaseId?: string
  readonly log?: ServerLog
  /** Of Durus clients. */
  readonly protocol1Limits?: Partial<Protocol1Limits>
  /** What all commits to the storage pass. Give one if others than clients commit, and let them pass it too. */
  readonly gate?: CommitGate
  /** Sessions of other protocols, by the first byte of a connection. */
  readonly protocols?: ReadonlyMap<number, SessionFactory>
  /** Called when a client that may do so asks the server to end. Default: the server stops itself. */
  readonly onStopRequest?: () => void
}

/**
 * Serves a storage to clients: give it the sockets that you accept. The sessions of all clients run in this thread, on
 * one handle of the storage.
 */
export class StorageServer {
  /** Another one each time a server is made. */
  readonly id = randomUUID()
  readonly #services: SharedServices
  readonly #statistics = new ServerStatistics()
  readonly #log: ServerLog
  readonly #protocols: ReadonlyMap<number, SessionFactory>
  readonly #options: StorageServerOptions
  readonly #connections = new Set<ClientConnection>()
  /** Those that have not been let in yet, the oldest first. */
  readonly #strangers = new Set<ClientConnection>()
  readonly #ticker: NodeJS.Timeout
  #stopping: Promise<void> | undefined

  /** @throws PerdureError `PERDURE_CLOSED` if the storage is closed; `PERDURE_ARGUMENT` for limits that are too low */
  constructor(options: StorageServerOptions) {
    const { storage, authenticator, limits, allowStop = false, databaseId = '', log = SILENT, protocols } = options
    this.#options = options
    this.#log = log
    const { gate = new CommitGate(), protocol1Limits } = options
    this.#protocols = new Map<number, SessionFactory>([
      ...protocol1(new Protocol1Service({ storage, gate, limits: protocol1Limits })),
      ...(protocols ?? []),
      [PREFACE[0] as number, (transport, host) => new Session(transport, host)],
    ])
    this.#services = {
      storage,
      authenticator,
      limits: checkLimits({ ...DEFAULT_LIMITS, ...limits }),
      statistics: this.#statistics,
      outcomes: new OutcomeRegister(storage, gate),
      gate,
      changes: new ChangeTeller(storage),
      turns: new TurnLimit(),
      serverId: this.id,
      databaseId,
      allowStop,
    }
    this.#ticker = setInterval(() => this.#tick(), TICK_MS)
    this.#ticker.unref()
  }

  /** What has been done since the server was made. */
  get figures(): ServerFigures {
    return this.#statistics.figures()
  }

  /**
   * Serves the client at the other end of a socket, which must not have been read from.
   *
   * @param context what is known of the client. Default: the address of the socket
   */
  accept(socket: Socket, context: PeerContext = { peer: addressOf(socket) }): void {
    const { maxConnections = DEFAULT_MAX_CONNECTIONS } = this.#options
    const isFull = this.#connections.size >= maxConnections && !this.#giveUpStranger()
    if (isFull || this.#stopping !== undefined) {
      const full = `There are ${maxConnections} connections already, which is the limit.`
      this.#turnAway(socket, context, isFull ? full : 'The server is being stopped.')
      return
    }
    this.#statistics.connections++
    this.#statistics.clients++
    socket.setNoDelay?.(true)
    socket.setKeepAlive?.(true, 60_000)
    const server = {
      services: this.#services,
      protocols: this.#protocols,
      log: this.#log,
      handshakeTimeoutMs: this.#options.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
      requestStop: () => this.#requestStop(),
      welcomed: (connection: ClientConnection) => this.#strangers.delete(connection),
      forget: (connection: ClientConnection) => this.#forget(connection),
    }
    const connection = new ClientConnection(server, this.#statistics.connections, socket, context)
    this.#connections.add(connection)
    this.#strangers.add(connection)
  }

  /**
   * Takes no more clients, answers the commits under way, tells the clients, and closes all connections. Clients that do
   * not take their answers in time are cut off. May be called more than once. The storage stays open.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    clearInterval(this.#ticker)
    const connections = [...this.#connections]
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, this.#options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS)
    await Promise.all(connections.map((connection) => connection.stop()))
    clearTimeout(timer)
  }

  #requestStop(): void {
    if (this.#options.onStopRequest !== undefined) this.#options.onStopRequest()
    else void this.stop()
  }

  #turnAway(socket: Socket, { peer }: PeerContext, message: string): void {
    this.#statistics.refusals++
    socket.on('error', () => {})
    socket.destroy()
    this.#log.write({ event: 'refused', peer, error: new PerdureError('PERDURE_LIMIT', message) })
  }

  /** Makes room: whoever has been a stranger for longest must not keep others out by saying nothing. */
  #giveUpStranger(): boolean {
    const [oldest] = this.#strangers
    if (oldest === undefined) return false
    this.#strangers.delete(oldest)
    oldest.giveWay()
    return true
  }

  #forget(connection: ClientConnection): void {
    this.#connections.delete(connection)
    this.#strangers.delete(connection)
    this.#statistics.clients--
  }

  /** Those who have been told go to the end of the line. */
  #tick(): void {
    if (this.#connections.size === 0) return
    const newest = this.#newestTid()
    let told = 0
    for (const connection of [...this.#connections]) {
      if (!connection.tick(told < TOLD_PER_TICK ? newest : undefined)) continue
      told++
      this.#connections.delete(connection)
      this.#connections.add(connection)
    }
  }

  #newestTid(): number | undefined {
    try {
      return newestTid(this.#services.storage)
    } catch {
      return undefined // The storage was closed first; requests will say so.
    }
  }
}

function checkLimits(limits: Limits): Limits {
  for (const name of ['frameBytes', 'requests', 'snapshots'] as const) {
    if (Number.isSafeInteger(limits[name]) && limits[name] >= LEAST_LIMITS[name]) continue
    throw new PerdureError('PERDURE_ARGUMENT', `The limit ${name} must be a whole number from ${LEAST_LIMITS[name]}.`)
  }
  return limits
}

function addressOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'local' : `${socket.remoteAddress}:${socket.remotePort}`
}

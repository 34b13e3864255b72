import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { PerdureError } from '../../src/core/errors.js'
import type { Storage } from '../../src/core/storage.js'
import { CommitGate } from '../../src/server/commit-gate.js'
import { type Protocol1Options, Protocol1Service } from '../../src/server/durus/service.js'
import { Protocol1Session } from '../../src/server/durus/session.js'

export interface LogLine {
  readonly level: string
  readonly message: string
}

/** Serves a storage by protocol 1 alone, at a port of 127.0.0.1 or a socket's path. */
export class DurusServer {
  readonly gate = new CommitGate()
  readonly service: Protocol1Service
  readonly log: LogLine[] = []
  readonly sessions = new Set<Protocol1Session>()
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  constructor(storage: Storage, options: Partial<Protocol1Options> = {}, refusal?: PerdureError) {
    const pack = async () => (storage.capabilities.has('pack') ? storage.pack() : undefined)
    this.service = new Protocol1Service({ storage, gate: this.gate, pack, ...options })
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket, refusal))
  }

  async listen(at: number | string = 0): Promise<void> {
    if (typeof at === 'string') this.#server.listen(at)
    else this.#server.listen(at, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Messages of a level. What ends a session is there before its client can know of it. */
  logged(level: string): string[] {
    return this.log.filter((line) => line.level === level).map(({ message }) => message)
  }

  async close(): Promise<void> {
    this.#server.close()
    const ended = [...this.sessions].map((session) => session.ended)
    for (const session of this.sessions) session.close(new PerdureError('PERDURE_CLOSED', 'The server stops.'))
    await Promise.all(ended)
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket, refusal: PerdureError | undefined): void {
    const log = (level: string, message: string) => {
      this.log.push({ level, message })
    }
    const session = new Protocol1Session(this.service, { transport: socket, log, refusal })
    this.sessions.add(session)
    this.#sockets.add(socket)
    socket.on('data', (bytes) => session.receive(bytes))
    socket.on('drain', () => session.drained())
    socket.on('error', () => {})
    socket.on('close', () => {
      session.disconnected()
      this.sessions.delete(session)
      this.#sockets.delete(socket)
    })
  }
}

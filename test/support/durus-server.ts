import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { expect } from 'chai'
import type { Storage } from '../../src/core/storage.js'
import { type Authenticator, anonymous } from '../../src/server/authentication.js'
import { CommitGate } from '../../src/server/commit-gate.js'
import type { Protocol1Limits } from '../../src/server/durus/limits.js'
import { protocol1 } from '../../src/server/durus/protocol-1.js'
import { Protocol1Service } from '../../src/server/durus/service.js'
import type { ServerEvent } from '../../src/server/server-log.js'
import { StorageServer } from '../../src/server/storage-server.js'
import { condition } from './condition.js'

export interface DurusServerOptions {
  readonly limits?: Partial<Protocol1Limits>
  readonly authenticator?: Authenticator
  readonly allowStop?: boolean
  readonly onStopRequest?: () => void
}

/** A server at a port of 127.0.0.1, or a socket's path, of whose Durus sessions tests see the inside. */
export class DurusServer {
  readonly storage: Storage
  readonly gate = new CommitGate()
  readonly service: Protocol1Service
  readonly events: ServerEvent[] = []
  readonly server: StorageServer
  readonly #listener: Server

  constructor(storage: Storage, options: DurusServerOptions = {}) {
    const { limits, authenticator = anonymous('admin'), allowStop = false, onStopRequest = () => {} } = options
    this.storage = storage
    this.service = new Protocol1Service({ storage, gate: this.gate, limits })
    this.server = new StorageServer({
      storage,
      authenticator,
      allowStop,
      onStopRequest,
      gate: this.gate,
      log: { write: (event) => this.events.push(event) },
      protocols: protocol1(this.service),
    })
    this.#listener = createServer((socket) => this.server.accept(socket))
  }

  async listen(at: number | string = 0): Promise<void> {
    if (typeof at === 'string') this.#listener.listen(at)
    else this.#listener.listen(at, '127.0.0.1')
    await once(this.#listener, 'listening')
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  /** Why connections have ended, other than by a client's goodbye. */
  get blames(): string[] {
    return this.events.flatMap((event) =>
      event.event === 'disconnected' && event.error !== undefined ? [event.error.message] : [],
    )
  }

  /** Waits until a connection has ended for a reason that matches. */
  async blamed(message: RegExp): Promise<void> {
    await condition(() => this.blames.length > 0)
    expect(this.blames[0]).to.match(message)
  }

  /** How often something has happened. */
  count(event: ServerEvent['event']): number {
    return this.events.filter((each) => each.event === event).length
  }

  async close(): Promise<void> {
    this.#listener.close()
    await this.server.stop()
  }
}

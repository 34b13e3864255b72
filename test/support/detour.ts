import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Address, formatAddress, parseAddress, socketOptions } from '../../src/server/address.js'

/** `up` is towards the server. */
export type Direction = 'up' | 'down'

/** What is to happen to one connection. */
export interface Fate {
  readonly direction: Direction
  /** So many bytes more go through in this direction; then the connection is cut. */
  readonly bytes: number
}

/** Passes connections on to a server, and harms them as a network would. */
export class Detour {
  readonly url: string
  /** Bytes passed on by the newest connection. */
  passed: Record<Direction, number> = { up: 0, down: 0 }
  /** How many connections have been made. */
  connections = 0
  /** Every byte goes in a piece of its own. */
  splits = false
  readonly #listener: Server
  readonly #target: Address
  readonly #open = new Set<Tunnel>()
  #fates: (Fate | undefined)[] = []

  private constructor(listener: Server, target: Address) {
    this.#listener = listener
    this.#target = target
    this.url = formatAddress({
      kind: 'tcp',
      host: '127.0.0.1',
      port: (listener.address() as AddressInfo).port,
      tls: false,
    })
    listener.on('connection', (socket) => this.#accept(socket))
  }

  static async start(target: string): Promise<Detour> {
    const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new Detour(listener, parseAddress(target))
  }

  /** What will happen to the connections that are still to come, in their order. */
  foretell(...fates: (Fate | undefined)[]): void {
    this.#fates = fates
  }

  /** What will happen to the newest connection, counted from now. */
  doom(fate: Fate): void {
    this.#newest().fate = fate
  }

  /** Passes on nothing more to the client of the newest connection. */
  hold(): void {
    this.#newest().isHeld = true
  }

  /** Cuts all connections. */
  cut(): void {
    for (const tunnel of this.#open) tunnel.cut()
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve))
    this.cut()
    await closed
  }

  #newest(): Tunnel {
    const tunnel = [...this.#open].at(-1)
    if (tunnel === undefined) throw new Error('no connection is open')
    return tunnel
  }

  #accept(near: Socket): void {
    this.connections++
    this.passed = { up: 0, down: 0 }
    const far = connect({ ...socketOptions(this.#target), noDelay: true })
    const tunnel = new Tunnel(near, far, this, this.#fates.shift())
    this.#open.add(tunnel)
    near.on('close', () => this.#open.delete(tunnel))
  }
}

class Tunnel {
  fate: Fate | undefined
  isHeld = false
  readonly #ends: Record<Direction, Socket>
  readonly #detour: Detour

  constructor(near: Socket, far: Socket, detour: Detour, fate: Fate | undefined) {
    this.#ends = { up: far, down: near }
    this.#detour = detour
    this.fate = fate
    near.on('data', (bytes) => this.#pass('up', bytes))
    far.on('data', (bytes) => this.#pass('down', bytes))
    for (const socket of [near, far]) socket.on('error', () => this.cut()).on('close', () => this.cut())
  }

  cut(): void {
    this.#ends.up.destroy()
    this.#ends.down.destroy()
  }

  #pass(direction: Direction, bytes: Buffer): void {
    if (direction === 'down' && this.isHeld) return
    const { fate } = this
    if (fate?.direction !== direction) {
      this.#write(direction, bytes)
    } else if (bytes.length < fate.bytes) {
      this.fate = { direction, bytes: fate.bytes - bytes.length }
      this.#write(direction, bytes)
    } else {
      this.#cutAfter(direction, bytes.subarray(0, fate.bytes))
    }
  }

  #write(direction: Direction, bytes: Buffer): void {
    this.#detour.passed[direction] += bytes.length
    const end = this.#ends[direction]
    if (!this.#detour.splits) end.write(bytes)
    else for (let i = 0; i < bytes.length; i++) end.write(bytes.subarray(i, i + 1))
  }

  /** What is to arrive arrives; nothing comes back. */
  #cutAfter(direction: Direction, bytes: Buffer): void {
    this.#ends[direction === 'up' ? 'down' : 'up'].destroy()
    const end = this.#ends[direction]
    end.removeAllListeners('data').resume()
    end.end(bytes, () => end.destroy())
  }
}

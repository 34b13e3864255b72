import type { Socket } from 'node:net'
import type { PeerContext } from './authentication.js'
import type { ServerStatistics } from './server-statistics.js'
import type { Transport } from './transport.js'

/** How long a client has to take what is left, once the connection is to end. */
const LINGER_MS = 2000

/** A socket, or a TLS socket, as sessions see it. */
export class SocketTransport implements Transport {
  readonly peer: string
  readonly channelBinding?: NonNullable<PeerContext['channelBinding']>
  readonly certificateName?: string
  readonly #socket: Socket
  readonly #statistics: ServerStatistics
  bytesOut = 0

  constructor(socket: Socket, context: PeerContext, statistics: ServerStatistics) {
    this.#socket = socket
    this.#statistics = statistics
    this.peer = context.peer
    if (context.channelBinding !== undefined) this.channelBinding = context.channelBinding
    if (context.certificateName !== undefined) this.certificateName = context.certificateName
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  write(buffers: readonly Uint8Array[]): void {
    if (this.#socket.destroyed) return
    if (buffers.length > 1) this.#socket.cork()
    for (const buffer of buffers) {
      this.bytesOut += buffer.length
      this.#statistics.bytesOut += buffer.length
      this.#socket.write(buffer)
    }
    if (buffers.length > 1) this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    if (this.#socket.destroyed) return
    // What the client still sends is of no interest, but as long as it is not read, the end of the connection is not seen.
    this.#socket.removeAllListeners('data')
    this.#socket.resume()
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    timer.unref()
    this.#socket.once('close', () => clearTimeout(timer))
  }
}

import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'
import { PerdureError, unpackError } from '../../src/core/errors.js'
import { parseAddress, socketOptions } from '../../src/server/address.js'
import { tlsExporter } from '../../src/server/auth/channel-binding.js'
import { FrameReader } from '../../src/server/protocol/frame-reader.js'
import {
  decodeServerMessage,
  encodeClientMessage,
  type ServerMessage,
} from '../../src/server/protocol/message-frames.js'
import type { Request, Welcome } from '../../src/server/protocol/messages.js'
import { shakeHands } from '../../src/storages/client/handshake.js'

export interface LoginOptions {
  readonly user?: string
  readonly password?: string
  readonly tls?: ConnectionOptions
  /** In place of that of the connection. */
  readonly channelBinding?: Uint8Array
}

/** Opens a connection, and says nothing. */
export async function dial(url: string, tls: ConnectionOptions = {}): Promise<Socket> {
  const address = parseAddress(url)
  const isTls = address.kind === 'tcp' && address.tls
  const place = socketOptions(address)
  const socket = isTls ? connectTls({ ...place, ...tls }) : connectTcp(place)
  await once(socket, isTls ? 'secureConnect' : 'connect')
  return socket
}

/** A client of protocol 2 that does not block its thread, so that the server may be in it too. */
export class ProtocolClient {
  readonly socket: Socket
  readonly welcome: Welcome
  /** Resolves with what the server said at last, if it said why it ended the connection. */
  readonly closed: Promise<PerdureError | undefined>
  readonly #reader: FrameReader
  readonly #waiting = new Map<number, { resolve: (message: ServerMessage) => void; reject: (error: Error) => void }>()
  #lastId = 1000
  #reason: PerdureError | undefined

  private constructor(socket: Socket, welcome: Welcome, rest: Buffer) {
    this.socket = socket
    this.welcome = welcome
    this.#reader = new FrameReader(welcome.limits.frameBytes)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        const lost = new PerdureError('PERDURE_DISCONNECTED', 'The connection was closed.')
        for (const { reject } of this.#waiting.values()) reject(lost)
        resolve(this.#reason)
      })
    })
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    this.#receive(rest)
    socket.resume()
  }

  /** Connects, and logs in if there is a user. */
  static async connect(url: string, options: LoginOptions = {}): Promise<ProtocolClient> {
    const socket = await dial(url, options.tls)
    socket.on('error', () => {})
    try {
      const own = socket instanceof TLSSocket ? tlsExporter(socket) : undefined
      const { user, password, channelBinding = own } = options
      const { welcome, rest } = await shakeHands(socket, { user, password, channelBinding })
      return new ProtocolClient(socket, welcome, rest)
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /** The final answer to a request, or the error it was answered with. */
  ask(request: Request): Promise<ServerMessage> {
    const id = ++this.#lastId
    const answer = new Promise<ServerMessage>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.socket.write(encodeClientMessage(id, request))
    return answer
  }

  async close(): Promise<void> {
    this.socket.destroy()
    await this.closed
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk)
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      const { request, message } = decodeServerMessage(frame)
      if (message.type === 'closing') this.#reason = unpackError(message.error)
      if (/(Part|Progress)$/.test(message.type)) continue
      const waiting = this.#waiting.get(request)
      this.#waiting.delete(request)
      if (message.type === 'error') waiting?.reject(unpackError(message.error))
      else waiting?.resolve(message)
    }
  }
}

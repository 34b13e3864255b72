import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { unpackError } from '../../src/core/errors.js'
import type { Oid } from '../../src/core/oid.js'
import type { StoredRecord } from '../../src/core/storage.js'
import { FrameReader } from '../../src/server/protocol/frame-reader.js'
import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type ServerMessage,
} from '../../src/server/protocol/message-frames.js'
import {
  type ClientNotice,
  DEFAULT_LIMITS,
  type Limits,
  type Part,
  PREFACE,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  type ServerNotice,
} from '../../src/server/protocol/messages.js'
import { StorageServer, type StorageServerOptions } from '../../src/server/storage-server.js'

type ReplyOf<T extends Reply['type']> = Extract<Reply, { readonly type: T }>

interface Waiting {
  readonly parts: Part[]
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** All that came for one request. */
export interface Answer {
  readonly reply: Reply
  readonly parts: readonly Part[]
}

/** A client that does exactly what a test says, over a real socket. */
export class ProtocolClient {
  readonly socket: Socket
  /** Everything that has come, in the order it came. */
  readonly received: { readonly request: number; readonly message: ServerMessage }[] = []
  /** Whether parts are paid for as they come. */
  grantsCredit = true
  readonly #reader = new FrameReader(2 ** 31)
  readonly #waiting = new Map<number, Waiting>()
  readonly closed: Promise<unknown>
  #lastId = 0

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', () => {})
    this.closed = once(socket, 'close').then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the connection was closed'))
    })
  }

  /** Connects without a word. */
  static async connect(server: TestServer): Promise<ProtocolClient> {
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    return new ProtocolClient(socket)
  }

  /** Connects and is let in. */
  static async open(server: TestServer, limits: Partial<Limits> = {}): Promise<ProtocolClient> {
    const client = await ProtocolClient.connect(server)
    client.socket.write(PREFACE)
    await client.hello(limits)
    return client
  }

  async hello(limits: Partial<Limits> = {}): Promise<Reply> {
    const hello = { versions: [PROTOCOL_VERSION], limits: { ...DEFAULT_LIMITS, ...limits }, agent: 'test' }
    return (await this.request({ type: 'hello', hello })).reply
  }

  get notices(): ServerNotice[] {
    return this.received.filter(({ request }) => request === 0).map(({ message }) => message as ServerNotice)
  }

  /** What the server said before it closed the connection. */
  get reasonForClosing(): string | undefined {
    const closing = this.notices.find((notice) => notice.type === 'closing')
    return closing?.type === 'closing' ? closing.error.code : undefined
  }

  /** Sends a request without waiting; returns its id and what will answer it. An error reply rejects. */
  send(request: Request): { id: number; answer: Promise<Answer> } {
    const id = ++this.#lastId
    const answer = new Promise<Answer>((resolve, reject) => this.#waiting.set(id, { parts: [], resolve, reject }))
    answer.catch(() => {})
    this.socket.write(encodeClientMessage(id, request))
    return { id, answer }
  }

  request(request: Request): Promise<Answer> {
    return this.send(request).answer
  }

  /** The reply, which must be of this type. */
  async ask<T extends Reply['type']>(type: T, request: Request): Promise<ReplyOf<T>> {
    const { reply } = await this.request(request)
    if (reply.type !== type) throw new Error(`expected '${type}', but it is '${reply.type}'`)
    return reply as ReplyOf<T>
  }

  notify(notice: ClientNotice): void {
    this.socket.write(encodeClientMessage(0, notice))
  }

  sendFrame(request: number, message: ClientMessage): void {
    this.socket.write(encodeClientMessage(request, message))
  }

  async load(snapshot: number, oid: Oid, ahead = 0): Promise<StoredRecord[]> {
    const { parts } = await this.request({
      type: 'load',
      snapshot,
      oid,
      aheadRecords: ahead,
      aheadBytes: ahead === 0 ? 0 : 1_000_000,
    })
    return recordsOf(parts) as StoredRecord[]
  }

  close(): void {
    this.socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk)
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      this.#take(decodeServerMessage(frame))
    }
  }

  #take({ request, message }: { request: number; message: ServerMessage }): void {
    this.received.push({ request, message })
    const waiting = this.#waiting.get(request)
    if (waiting === undefined) return
    if (isPart(message)) {
      waiting.parts.push(message)
      if (this.grantsCredit) this.notify({ type: 'credit', request, parts: 1 })
      return
    }
    this.#waiting.delete(request)
    if (message.type === 'error') waiting.reject(unpackError(message.error))
    else waiting.resolve({ reply: message as Reply, parts: waiting.parts })
  }
}

function isPart(message: ServerMessage): message is Part {
  return message.type.endsWith('Part') || message.type.endsWith('Progress')
}

/** The records of an answer, missing ones as undefined. */
export function recordsOf(parts: readonly Part[]): (StoredRecord | undefined)[] {
  return parts.flatMap((part) => (part.type === 'recordsPart' ? part.records : []))
}

/** A server on a port of its own. */
export class TestServer {
  readonly server: StorageServer
  /** The server's ends of all connections so far. */
  readonly sockets: readonly Socket[]
  readonly #listener: Server
  readonly #clients: ProtocolClient[] = []

  private constructor(server: StorageServer, listener: Server, sockets: readonly Socket[]) {
    this.server = server
    this.sockets = sockets
    this.#listener = listener
  }

  static async start(options: StorageServerOptions): Promise<TestServer> {
    const server = new StorageServer(options)
    const sockets: Socket[] = []
    const listener = createServer((socket) => {
      sockets.push(socket)
      server.accept(socket)
    })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new TestServer(server, listener, sockets)
  }

  get port(): number {
    const address = this.#listener.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** A client that has been let in; it is closed with the server. */
  async client(limits?: Partial<Limits>): Promise<ProtocolClient> {
    return this.#track(await ProtocolClient.open(this, limits))
  }

  /** A client that has not said anything. */
  async stranger(): Promise<ProtocolClient> {
    return this.#track(await ProtocolClient.connect(this))
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close()
    await this.server.stop()
    this.#listener.close()
    await once(this.#listener, 'close')
  }

  #track(client: ProtocolClient): ProtocolClient {
    this.#clients.push(client)
    return client
  }
}

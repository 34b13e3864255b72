import { type Transferable, Worker } from 'node:worker_threads'
import { PerdureError, unpackError } from '../../core/errors.js'
import { FrameReader } from '../../server/protocol/frame-reader.js'
import { decodeServerMessage, encodeClientMessage, type ServerMessage } from '../../server/protocol/message-frames.js'
import type {
  ClientNotice,
  Limits,
  Part,
  Reply,
  Request,
  ServerNotice,
  Welcome,
} from '../../server/protocol/messages.js'
import { type BridgeStarter, SyncBridge } from '../../workers/sync-bridge.js'
import { BACKLOG_WORDS, Backlog, type BridgeSettings, type FromBridge, type ToBridge } from './bridge-messages.js'
import { RequestTable, type Waiter } from './request-table.js'

export const startBridge: BridgeStarter = (workerData: object, transferList: Transferable[]) =>
  new Worker(new URL('./bridge.js', import.meta.url), { name: 'perdure-client', workerData, transferList })

/** Answers of the type that belongs to the request. */
export type ReplyOf<T extends Reply['type']> = Extract<Reply, { readonly type: T }>

/** What an exchange tells of itself. None of it may throw, apart from `welcomed`. */
export interface ExchangeListener {
  /** @throws PerdureError if this server will not do; the exchange is then over */
  welcomed(welcome: Welcome, connection: number): void
  changed(notice: Extract<ServerNotice, { readonly type: 'changed' }>): void
}

/** Of the number of the connection, and of its condition. */
type Condition = 'none' | 'connecting' | 'open'

/** How often a thread with requests under way looks whether one is overdue, in parts of the limit. */
const LOOKS = 8

/**
 * Requests and answers over a connection that may be lost and made anew. Whatever waits for an answer gets one, or an
 * error: when the connection is lost, when the server says nothing for `timeoutMs`, and when the bridge's thread ends.
 */
export class Exchange {
  readonly #bridge: SyncBridge<ToBridge, FromBridge>
  readonly #backlog: Backlog
  readonly #listener: ExchangeListener
  readonly #location: string
  readonly #timeoutMs: number
  readonly #requests = new RequestTable()
  /** Frames to be sent at the end of the microtask. */
  #outbox: Uint8Array[] = []
  /** Requests beyond the number that the server takes at a time; sent as others are answered. */
  #queue: { readonly id: number; readonly frame: Uint8Array }[] = []
  #inFlight = 0
  #reader = new FrameReader(0)
  #limits: Limits | undefined
  /** Number of the newest connection; grows with each attempt. */
  #connection = 0
  #condition: Condition = 'none'
  /** Why there is no connection. */
  #problem: PerdureError
  /** Nothing goes on after this. */
  #over: PerdureError | undefined
  #connecting: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  /** Time in which this thread has looked after its messages, in ms: a blocked thread does not make a server late. */
  #clock = 0
  #lookedAt = 0
  #heardAt = 0

  constructor(
    settings: Omit<BridgeSettings, 'backlog'>,
    options: { readonly location: string; readonly timeoutMs: number },
    listener: ExchangeListener,
    start: BridgeStarter = startBridge,
  ) {
    this.#location = options.location
    this.#timeoutMs = options.timeoutMs
    this.#listener = listener
    this.#problem = this.#disconnected('There is none yet.')
    const words = new Int32Array(new SharedArrayBuffer(BACKLOG_WORDS * 4))
    this.#backlog = new Backlog(words)
    const bridgeSettings: BridgeSettings = { ...settings, backlog: words }
    this.#bridge = new SyncBridge(start, bridgeSettings, options.location, {
      receive: (message) => this.#receive(message),
      ended: (error) => this.#end(error),
    })
  }

  /** Number of the connection in use; 0 if there is none. What was said on one means nothing on another. */
  get connection(): number {
    return this.#condition === 'open' ? this.#connection : 0
  }

  /**
   * Hears what has come, and connects if there is no connection, for which it blocks the thread.
   *
   * @throws PerdureError that of `dial`, or why no connection will do any more
   */
  ensureConnected(limitMs: number): void {
    this.#bridge.drain()
    if (this.#condition === 'open') return
    this.#beginConnecting(limitMs)
    // Longer than the attempt takes to fail: its own error says more.
    const done = this.#bridge.wait(() => this.#condition !== 'connecting', limitMs + 5000)
    if (!done) this.#abandon(this.#timeout('connecting', limitMs))
    this.#checkOpen()
  }

  /** As {@link ensureConnected}, without blocking. */
  async connected(limitMs: number): Promise<void> {
    this.#beginConnecting(limitMs)
    if (this.#condition === 'connecting') {
      const settled = new Promise<void>((resolve) => this.#connecting.push(resolve))
      this.#hold()
      await settled
    }
    this.#checkOpen()
  }

  /**
   * Sends a request, together with others of the same microtask. It is encoded before this returns.
   *
   * @returns its number, for notices
   * @throws PerdureError `PERDURE_DISCONNECTED` if there is no connection, `PERDURE_LIMIT`, `PERDURE_ARGUMENT`: nothing
   *   has been sent then, and the waiter is not called
   */
  send(request: Request, waiter: Waiter): number {
    this.#checkOpen()
    const id = this.#requests.add(waiter, this.#clock)
    try {
      this.#enqueue(id, this.#encode(id, request))
    } catch (error) {
      this.#requests.take(id)
      throw error
    }
    this.#watch()
    return id
  }

  /** Sends a notice, if there is still the connection that it is about. */
  notify(notice: ClientNotice, connection: number): void {
    if (connection === this.connection) this.#post(encodeClientMessage(0, notice))
  }

  /** Sends a request, and resolves with its answer. Rejects with the server's error if that is the answer. */
  async ask<T extends Reply['type']>(request: Request, onPart = ignorePart): Promise<ReplyOf<T>> {
    const reply = await new Promise<Reply>((done, failed) => {
      this.send(request, { patient: false, part: onPart, done, failed })
    })
    return checkReply<T>(reply)
  }

  /**
   * Sends a request and blocks the thread until it is answered.
   *
   * @throws PerdureError the server's error; `PERDURE_DISCONNECTED`; `PERDURE_TIMEOUT`, and the connection is given up
   */
  askNow<T extends Reply['type']>(request: Request): ReplyOf<T> {
    const [reply] = this.#await([{ request, part: ignorePart }])
    return reply as ReplyOf<T>
  }

  /** As {@link askNow}, for requests that are answered by parts; they are sent together. */
  streamNow(requests: readonly { readonly request: Request; part(part: Part): void }[]): void {
    this.#await(requests)
  }

  #await(requests: readonly { readonly request: Request; part(part: Part): void }[]): Reply[] {
    const replies: Reply[] = []
    let problem: PerdureError | undefined
    const done = (reply: Reply) => {
      replies.push(reply)
    }
    const failed = (error: PerdureError) => {
      problem = error
    }
    for (const { request, part } of requests) this.send(request, { patient: false, part, done, failed })
    this.#flush()
    const isDone = () => problem !== undefined || replies.length === requests.length
    if (!this.#bridge.wait(isDone, this.#timeoutMs)) {
      this.#abandon(this.#timeout(`a request (${requests[0]?.request.type})`, this.#timeoutMs))
    }
    if (problem !== undefined) throw problem
    return replies.map((reply) => checkReply(reply))
  }

  /** Says goodbye, and lets the bridge's thread end. Nothing can be sent afterwards. */
  async close(): Promise<void> {
    this.#flush()
    this.#end(closed(this.#location))
    await this.#bridge.end({ type: 'end', bytes: encodeClientMessage(0, { type: 'goodbye' }) })
  }

  /** Nothing goes on after this: not even with another connection. */
  giveUp(error: PerdureError): void {
    this.#bridge.post({ type: 'drop', connection: this.#connection })
    this.#end(error)
  }

  #end(error: PerdureError): void {
    if (this.#over !== undefined) return
    this.#over = error
    this.#lose(error)
  }

  #checkOpen(): void {
    if (this.#over !== undefined) throw this.#over
    if (this.#condition !== 'open') throw again(this.#problem)
  }

  #beginConnecting(limitMs: number): void {
    if (this.#over !== undefined) throw this.#over
    if (this.#condition !== 'none') return
    this.#condition = 'connecting'
    this.#bridge.post({ type: 'connect', connection: ++this.#connection, limitMs })
  }

  #receive(message: FromBridge): void {
    // Also of connections that are over: the bridge has counted it.
    if (message.type === 'received' && this.#backlog.consumed(message.bytes.length)) {
      this.#bridge.post({ type: 'resume' })
    }
    if (message.connection !== this.#connection || this.#condition === 'none') return
    switch (message.type) {
      case 'connected':
        this.#open(message.welcome)
        break
      case 'failed':
      case 'lost':
        this.#lose(unpackError(message.error))
        break
      case 'received':
        this.#heardAt = this.#clock
        this.#readFrames(message.bytes)
    }
  }

  #open(welcome: Welcome): void {
    try {
      this.#listener.welcomed(welcome, this.#connection)
    } catch (error) {
      this.giveUp(error as PerdureError)
      return
    }
    this.#limits = welcome.limits
    this.#reader = new FrameReader(welcome.limits.frameBytes)
    this.#condition = 'open'
    this.#settleConnecting()
  }

  #settleConnecting(): void {
    const waiting = this.#connecting
    this.#connecting = []
    for (const resolve of waiting) resolve()
  }

  #readFrames(bytes: Uint8Array): void {
    const connection = this.#connection
    try {
      this.#reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      // A message may have ended the connection.
      while (connection === this.connection) {
        const frame = this.#reader.next()
        if (frame === undefined) return
        const { request, message } = decodeServerMessage(frame)
        this.#take(request, message)
      }
    } catch (error) {
      this.#abandon(error instanceof PerdureError ? error : new PerdureError('PERDURE_PROTOCOL', String(error)))
    }
  }

  #take(id: number, message: ServerMessage): void {
    switch (message.type) {
      case 'changed':
        this.#listener.changed(message)
        break
      case 'closing':
        this.#abandon(this.#disconnected(`the server closes it (${message.error.message})`, unpackError(message.error)))
        break
      case 'recordsPart':
      case 'batchPart':
      case 'transactionsPart':
      case 'packProgress':
      case 'verifyProgress':
        this.#requests.get(id)?.part(message)
        break
      default:
        this.#settle(id, message)
    }
  }

  #settle(id: number, reply: Reply): void {
    const waiter = this.#requests.take(id)
    if (waiter === undefined) {
      throw new PerdureError('PERDURE_PROTOCOL', `The server answered request ${id}, which nobody has made.`)
    }
    this.#inFlight--
    const next = this.#queue.shift()
    if (next !== undefined) this.#enqueue(next.id, next.frame)
    if (this.#requests.size === 0) this.#hold()
    waiter.done(reply)
  }

  #encode(id: number, request: Request): Uint8Array {
    const frame = encodeClientMessage(id, request)
    const limit = this.#limits?.frameBytes ?? 0
    if (frame.length <= limit) return frame
    throw new PerdureError(
      'PERDURE_LIMIT',
      `A request (${request.type}) of ${frame.length} bytes is more than the ${limit} that ${this.#location} takes at a time. Commit more often.`,
      { details: { bytes: frame.length, limit } },
    )
  }

  #enqueue(id: number, frame: Uint8Array): void {
    if (this.#inFlight >= (this.#limits?.requests ?? 1)) {
      this.#queue.push({ id, frame })
      return
    }
    this.#inFlight++
    this.#post(frame)
  }

  #post(frame: Uint8Array): void {
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush())
    this.#outbox.push(frame)
  }

  /** The frames lie in memory that others share, so they are copied: one piece of memory for all of them changes hands. */
  #flush(): void {
    const frames = this.#outbox
    if (frames.length === 0) return
    this.#outbox = []
    const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const frame of frames) {
      bytes.set(frame, at)
      at += frame.length
    }
    this.#bridge.post({ type: 'send', connection: this.#connection, bytes }, [bytes.buffer])
  }

  /** Gives up the connection. */
  #abandon(error: PerdureError): void {
    this.#bridge.post({ type: 'drop', connection: this.#connection })
    this.#lose(error)
  }

  /** There is no connection any more: everybody who waits hears of it. */
  #lose(error: PerdureError): void {
    this.#condition = 'none'
    this.#problem = error
    this.#outbox = []
    this.#queue = []
    this.#inFlight = 0
    for (const waiter of this.#requests.takeAll()) waiter.failed(again(error))
    this.#settleConnecting()
    this.#hold()
  }

  /** What is under way keeps the process alive, and nothing else. */
  #hold(): void {
    const busy = this.#requests.size > 0 || this.#connecting.length > 0
    this.#bridge.hold(busy)
    if (!busy) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #watch(): void {
    this.#bridge.hold(true)
    if (this.#timer !== undefined) return
    this.#lookedAt = performance.now()
    this.#heardAt = this.#clock
    this.#timer = setInterval(() => this.#look(), Math.max(1, this.#timeoutMs / LOOKS))
  }

  #look(): void {
    const now = performance.now()
    this.#clock += Math.min(now - this.#lookedAt, (2 * this.#timeoutMs) / LOOKS)
    this.#lookedAt = now
    this.#bridge.drain()
    if (this.#condition !== 'open') return
    if (this.#requests.overdue(this.#clock - this.#timeoutMs * (1 + 1 / LOOKS)) !== undefined) {
      this.#abandon(this.#timeout('a request', this.#timeoutMs))
    } else if (this.#requests.hasPatient && this.#clock - this.#heardAt > this.#timeoutMs / 2) {
      this.#heardAt = this.#clock
      this.#ping()
    }
  }

  /** A server that does not answer this within the limit is lost. */
  #ping(): void {
    this.send({ type: 'ping' }, { patient: false, part: ignorePart, done: () => {}, failed: () => {} })
  }

  #timeout(what: string, timeoutMs: number): PerdureError {
    const text = `${this.#location} did not answer ${what} within ${timeoutMs} ms. The connection is given up.`
    return new PerdureError('PERDURE_TIMEOUT', text, { details: { peer: this.#location, timeoutMs } })
  }

  #disconnected(why: string, cause?: PerdureError): PerdureError {
    return new PerdureError('PERDURE_DISCONNECTED', `The connection to ${this.#location} was lost: ${why}.`, {
      details: { peer: this.#location },
      ...(cause !== undefined && { cause }),
    })
  }
}

function ignorePart(_part: Part): void {}

/** An error of one's own for everybody who gets it, with a stack that says who that was. */
function again(error: PerdureError): PerdureError {
  return new PerdureError(error.code, error.message, {
    details: error.details,
    ...(error.cause !== undefined && { cause: error.cause }),
  })
}

function checkReply<T extends Reply['type']>(reply: Reply): ReplyOf<T> {
  if (reply.type === 'error') throw unpackError(reply.error)
  return reply as ReplyOf<T>
}

export function closed(location: string): PerdureError {
  return new PerdureError('PERDURE_CLOSED', `${location} has been closed.`, { details: { path: location } })
}

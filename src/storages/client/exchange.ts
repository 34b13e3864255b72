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
import type { BridgeStarter } from '../../workers/sync-bridge.js'
import type { BridgeSettings } from './bridge-messages.js'
import { copyOf, Line } from './line.js'
import { Outbox } from './outbox.js'
import { RequestTable, type Waiter } from './request-table.js'
import { Watchdog } from './watchdog.js'

/** Answers of the type that belongs to the request. */
export type ReplyOf<T extends Reply['type']> = Extract<Reply, { readonly type: T }>

/** What an exchange tells of itself. */
export interface ExchangeListener {
  /** @throws PerdureError if this server will not do; the exchange is then over */
  welcomed(welcome: Welcome, connection: number): void
  /** Must not throw. */
  changed(notice: Extract<ServerNotice, { readonly type: 'changed' }>): void
}

/**
 * Requests and answers, over connections that may be lost. Whatever waits for an answer gets one, or an error: when the
 * connection is lost, when the server says nothing for `timeoutMs`, and when the bridge's thread ends.
 */
export class Exchange {
  readonly #line: Line
  readonly #listener: ExchangeListener
  readonly #location: string
  readonly #timeoutMs: number
  readonly #requests = new RequestTable()
  readonly #outbox: Outbox
  readonly #watchdog: Watchdog
  #reader = new FrameReader(0)
  #limits: Limits | undefined

  constructor(
    settings: Omit<BridgeSettings, 'backlog'>,
    options: { readonly location: string; readonly timeoutMs: number },
    listener: ExchangeListener,
    start?: BridgeStarter,
  ) {
    this.#location = options.location
    this.#timeoutMs = options.timeoutMs
    this.#listener = listener
    this.#watchdog = new Watchdog(options.timeoutMs, () => this.#look())
    this.#outbox = new Outbox((bytes) => this.#line.send(bytes))
    const lineListener = {
      opened: (welcome: Welcome, connection: number) => this.#open(welcome, connection),
      received: (bytes: Uint8Array) => this.#readFrames(bytes),
      closed: (error: PerdureError) => this.#lose(error),
    }
    this.#line = new Line(settings, options.location, lineListener, start)
  }

  /** Number of the connection in use; 0 if there is none. What was said on one means nothing on another. */
  get connection(): number {
    return this.#line.connection
  }

  /**
   * Hears what has come, and connects if there is no connection, for which it blocks the thread.
   *
   * @throws PerdureError that of `dial`, or why no connection will do any more
   */
  ensureConnected(limitMs: number): void {
    this.#line.ensureConnected(limitMs)
  }

  /** As {@link ensureConnected}, without blocking. */
  connected(limitMs: number): Promise<void> {
    return this.#line.connected(limitMs)
  }

  /** @throws PerdureError why there will be no connection any more */
  checkUsable(): void {
    this.#line.checkUsable()
  }

  /** Gives up the connection, and will make no other. */
  giveUp(error: PerdureError): void {
    this.#line.giveUp(error)
  }

  /**
   * Sends a request, together with others of the same microtask. It is encoded before this returns.
   *
   * @returns its number, for notices
   * @throws PerdureError why there is no connection, `PERDURE_LIMIT`, `PERDURE_ARGUMENT`: nothing has been sent then, and
   *   the waiter is not called
   */
  send(request: Request, waiter: Waiter): number {
    this.#line.checkOpen()
    const id = this.#requests.add(waiter, this.#watchdog.now)
    try {
      this.#outbox.request(this.#encode(id, request), () => this.#requests.sent(id, this.#watchdog.now))
    } catch (error) {
      this.#requests.take(id)
      throw error
    }
    this.#line.hold(true)
    this.#watchdog.wake()
    return id
  }

  /** Sends a notice, if there is still the connection that it is about. */
  notify(notice: ClientNotice, connection: number): void {
    if (connection === this.connection) this.#outbox.post(encodeClientMessage(0, notice))
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
  askNow<T extends Reply['type']>(request: Request, onPart = ignorePart): ReplyOf<T> {
    let reply: Reply | undefined
    let problem: PerdureError | undefined
    this.send(request, {
      patient: false,
      part: onPart,
      done: (answer) => {
        reply = answer
      },
      failed: (error) => {
        problem = error
      },
    })
    this.#outbox.flush()
    const isDone = this.#line.wait(() => reply !== undefined || problem !== undefined, this.#timeoutMs)
    if (!isDone) this.#line.abandon(this.#timeout(`a request (${request.type})`))
    if (reply === undefined) throw problem
    return checkReply<T>(reply)
  }

  /** Says goodbye, and lets the bridge's thread end. Nothing can be sent afterwards. */
  async close(): Promise<void> {
    this.#outbox.flush()
    await this.#line.end(closed(this.#location), encodeClientMessage(0, { type: 'goodbye' }))
  }

  #open(welcome: Welcome, connection: number): void {
    this.#listener.welcomed(welcome, connection)
    this.#limits = welcome.limits
    this.#outbox.restart(welcome.limits.requests)
    this.#reader = new FrameReader(welcome.limits.frameBytes)
  }

  /** There is no connection any more: everybody who waits hears of it. */
  #lose(error: PerdureError): void {
    this.#outbox.restart(0)
    for (const waiter of this.#requests.takeAll()) waiter.failed(copyOf(error))
    this.#rest()
  }

  /** Nothing is under way that would keep the process alive. */
  #rest(): void {
    this.#line.hold(false)
    this.#watchdog.sleep()
  }

  #readFrames(bytes: Uint8Array): void {
    this.#watchdog.heard()
    const { connection } = this
    try {
      this.#reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      // A message may have ended the connection.
      while (connection === this.connection) {
        const frame = this.#reader.next()
        if (frame === undefined) break
        const { request, message } = decodeServerMessage(frame)
        this.#take(request, message)
      }
      // Requests may have waited for these answers, and no microtask runs while the thread is blocked.
      this.#outbox.flush()
    } catch (error) {
      this.#line.abandon(error instanceof PerdureError ? error : new PerdureError('PERDURE_PROTOCOL', String(error)))
    }
  }

  #take(id: number, message: ServerMessage): void {
    switch (message.type) {
      case 'changed':
        this.#listener.changed(message)
        break
      case 'closing':
        this.#line.abandon(this.#closing(unpackError(message.error)))
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
    this.#requests.answered(this.#watchdog.now)
    this.#outbox.answered()
    if (this.#requests.size === 0) this.#rest()
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

  #look(): void {
    this.#line.drain()
    if (this.connection === 0) return
    if (this.#requests.overdue(this.#watchdog.overdueBefore) !== undefined) {
      this.#line.abandon(this.#timeout('a request'))
    } else if (this.#requests.hasPatient && this.#watchdog.isSilent()) {
      this.#ping()
    }
  }

  /** A server that does not answer this within the limit is lost. */
  #ping(): void {
    this.send({ type: 'ping' }, { patient: false, part: ignorePart, done: () => {}, failed: () => {} })
  }

  #timeout(what: string): PerdureError {
    const timeoutMs = this.#timeoutMs
    const text = `${this.#location} did not answer ${what} within ${timeoutMs} ms. The connection is given up.`
    return new PerdureError('PERDURE_TIMEOUT', text, { details: { peer: this.#location, timeoutMs } })
  }

  #closing(reason: PerdureError): PerdureError {
    return new PerdureError(
      'PERDURE_DISCONNECTED',
      `The connection to ${this.#location} was closed by the server: ${reason.message}`,
      { details: { peer: this.#location }, cause: reason },
    )
  }
}

function ignorePart(_part: Part): void {}

function checkReply<T extends Reply['type']>(reply: Reply): ReplyOf<T> {
  if (reply.type === 'error') throw unpackError(reply.error)
  return reply as ReplyOf<T>
}

export function closed(location: string): PerdureError {
  return new PerdureError('PERDURE_CLOSED', `${location} has been closed.`, { details: { path: location } })
}

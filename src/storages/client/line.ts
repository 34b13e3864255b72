import { type Transferable, Worker } from 'node:worker_threads'
import { PerdureError, unpackError } from '../../core/errors.js'
import type { Welcome } from '../../server/protocol/messages.js'
import { type BridgeStarter, SyncBridge } from '../../workers/sync-bridge.js'
import { BACKLOG_WORDS, Backlog, type BridgeSettings, type FromBridge, type ToBridge } from './bridge-messages.js'

/** The bridge ends an attempt to connect by itself; this much later it counts as dead, in ms. */
const GRACE_MS = 5000

export const startBridge: BridgeStarter = (workerData: object, transferList: Transferable[]) =>
  new Worker(new URL('./bridge.js', import.meta.url), { name: 'perdure-client', workerData, transferList })

/** Hears of a line's connections, one after the other. Only `opened` may throw. */
export interface LineListener {
  /** @throws PerdureError if this server will not do: there will be no other connection then */
  opened(welcome: Welcome, connection: number): void
  /** Bytes of frames, cut anywhere. */
  received(bytes: Uint8Array): void
  /** The connection is over, or could not be made. */
  closed(error: PerdureError): void
}

/**
 * The way to a server, over connections that are numbered from 1. A lost one is replaced when somebody asks for that.
 */
export class Line {
  readonly #bridge: SyncBridge<ToBridge, FromBridge>
  readonly #backlog: Backlog
  readonly #listener: LineListener
  #connection = 0
  #condition: 'none' | 'connecting' | 'open' = 'none'
  /** Why there is no connection. */
  #problem: PerdureError | undefined
  /** Nothing goes on after this. */
  #over: PerdureError | undefined
  #connecting: (() => void)[] = []
  #isHeld = false

  constructor(
    settings: Omit<BridgeSettings, 'backlog'>,
    location: string,
    listener: LineListener,
    start: BridgeStarter = startBridge,
  ) {
    this.#listener = listener
    const words = new Int32Array(new SharedArrayBuffer(BACKLOG_WORDS * 4))
    this.#backlog = new Backlog(words)
    const bridgeSettings: BridgeSettings = { ...settings, backlog: words }
    this.#bridge = new SyncBridge(start, bridgeSettings, location, {
      receive: (message) => this.#receive(message),
      ended: (error) => this.#end(error),
    })
  }

  /** Number of the connection in use; 0 if there is none. What was said on one means nothing on another. */
  get connection(): number {
    return this.#condition === 'open' ? this.#connection : 0
  }

  /** @throws PerdureError why there will be no connection any more */
  checkUsable(): void {
    if (this.#over !== undefined) throw copyOf(this.#over)
  }

  /** @throws PerdureError why there is no connection */
  checkOpen(): void {
    this.checkUsable()
    if (this.#condition === 'open') return
    throw this.#problem === undefined ? new Error('Nobody has connected.') : copyOf(this.#problem)
  }

  /** Hears what has come, and connects if there is no connection, for which it blocks the thread. */
  ensureConnected(limitMs: number): void {
    this.#bridge.drain()
    if (this.#condition !== 'open') {
      this.#connect(limitMs)
      const isDone = this.#bridge.wait(() => this.#condition !== 'connecting', limitMs + GRACE_MS)
      if (!isDone) this.abandon(new PerdureError('PERDURE_TIMEOUT', 'The thread that connects gives no answer.'))
    }
    this.checkOpen()
  }

  /** As {@link ensureConnected}, without blocking. */
  async connected(limitMs: number): Promise<void> {
    this.#connect(limitMs)
    if (this.#condition === 'connecting') {
      const settled = new Promise<void>((resolve) => this.#connecting.push(resolve))
      this.hold(this.#isHeld)
      await settled
    }
    this.checkOpen()
  }

  #connect(limitMs: number): void {
    this.checkUsable()
    if (this.#condition !== 'none') return
    this.#condition = 'connecting'
    this.#bridge.post({ type: 'connect', connection: ++this.#connection, limitMs })
  }

  /** Sends bytes, whose memory changes hands. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bridge.post({ type: 'send', connection: this.#connection, bytes }, [bytes.buffer])
  }

  /** Hears what has come already. */
  drain(): void {
    this.#bridge.drain()
  }

  /**
   * Blocks the thread, except for hearing what comes.
   *
   * @returns false if `limitMs` have passed before `isDone`
   */
  wait(isDone: () => boolean, limitMs: number): boolean {
    return this.#bridge.wait(isDone, limitMs)
  }

  /** Says whether something under way keeps the process alive. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#bridge.hold(isHeld || this.#connecting.length > 0)
  }

  /** Gives up the connection. */
  abandon(error: PerdureError): void {
    this.#bridge.post({ type: 'drop', connection: this.#connection })
    this.#lose(error)
  }

  /** Gives up the connection, and will make no other. */
  giveUp(error: PerdureError): void {
    this.#bridge.post({ type: 'drop', connection: this.#connection })
    this.#end(error)
  }

  /** Sends the farewell, and waits until everything is closed. */
  async end(error: PerdureError, farewell: Uint8Array): Promise<void> {
    this.#end(error)
    await this.#bridge.end({ type: 'end', bytes: farewell })
  }

  #end(error: PerdureError): void {
    if (this.#over !== undefined) return
    this.#over = error
    this.#lose(error)
  }

  #lose(error: PerdureError): void {
    this.#condition = 'none'
    this.#problem = error
    this.#listener.closed(error)
    this.#settleConnecting()
  }

  #settleConnecting(): void {
    const waiting = this.#connecting
    this.#connecting = []
    for (const resolve of waiting) resolve()
    this.hold(this.#isHeld)
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
        this.#listener.received(message.bytes)
    }
  }

  #open(welcome: Welcome): void {
    try {
      this.#listener.opened(welcome, this.#connection)
    } catch (error) {
      this.giveUp(error as PerdureError)
      return
    }
    this.#condition = 'open'
    this.#settleConnecting()
  }
}

/** An error of one's own for everybody who gets it, with a stack that says who that was. */
export function copyOf(error: PerdureError): PerdureError {
  return new PerdureError(error.code, error.message, {
    details: error.details,
    ...(error.cause !== undefined && { cause: error.cause }),
  })
}

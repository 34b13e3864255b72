import { PerdureError, packError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { Identity } from './authentication.js'
import { Handshake, type HandshakeStep } from './handshake.js'
import { Output, UNSENT_BYTES } from './output.js'
import { FrameReader } from './protocol/frame-reader.js'
import {
  type ClientMessage,
  decodeClientMessage,
  encodeServerMessage,
  type Numbered,
} from './protocol/message-frames.js'
import { type Limits, PREFACE, type Request } from './protocol/messages.js'
import { Requests } from './requests.js'
import type { SessionHost } from './session-host.js'
import type { ServerSession, Transport } from './transport.js'

/** Longest frame before the client has been let in. */
const STRANGER_FRAME_BYTES = 65_536

/** A client that takes nothing of what it is sent for so many ticks is given up. */
const MOST_STALLED_TICKS = 120

/** A client that has not loaded for so many ticks is taken for idle. */
const REST_TICKS = 60

/**
 * One client that speaks protocol 2: the preface, the handshake, then requests. Frames are handled in the order they
 * come. Nothing is read while the client is to wait: while it is being authenticated, does not take its answers, or has
 * too many commits under way.
 */
export class Session implements ServerSession {
  readonly #transport: Transport
  readonly #host: SessionHost
  readonly #handshake: Handshake
  readonly #output: Output
  readonly #reader = new FrameReader(STRANGER_FRAME_BYTES)
  /** What is still to come of the preface. */
  #preface: Buffer = PREFACE
  #requests: Requests | undefined
  #isAuthenticating = false
  #isPaused = false
  #isStopping = false
  #isClosed = false
  #stalledBytes = 0
  #stalledTicks = 0
  #ticks = 0

  constructor(transport: Transport, host: SessionHost) {
    this.#transport = transport
    this.#host = host
    this.#handshake = new Handshake(host, transport)
    this.#output = new Output(transport)
  }

  receive(chunk: Buffer): void {
    if (this.#isClosed) return
    try {
      this.#reader.push(this.#preface.length > 0 ? this.#takePreface(chunk) : chunk)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#pump()
  }

  drained(): void {
    this.#output.drained()
    this.#pump()
  }

  ended(): void {
    this.#end()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#pump()
    await this.#requests?.finish()
    this.#close(new PerdureError('PERDURE_DISCONNECTED', 'The server has been stopped.'))
  }

  tick(newestTid: Tid | undefined): boolean {
    if (this.#isClosed || this.#hasStalled()) return false
    if (++this.#ticks % REST_TICKS === 0) this.#requests?.rest()
    if (newestTid === undefined || this.#isStopping) return false
    return this.#requests?.tell(newestTid) ?? false
  }

  #takePreface(chunk: Buffer): Buffer {
    const count = Math.min(chunk.length, this.#preface.length)
    if (!chunk.subarray(0, count).equals(this.#preface.subarray(0, count))) {
      throw new PerdureError('PERDURE_PROTOCOL', 'The connection did not begin as one of a Perdure client does.')
    }
    this.#preface = this.#preface.subarray(count)
    return chunk.subarray(count)
  }

  /** Handles frames until there are no more, the client is to wait, or others are to get their turn. */
  #pump(): void {
    try {
      const began = performance.now()
      while (this.#mayRead()) {
        const frame = this.#reader.next()
        if (frame === undefined) {
          this.#pause(false)
          return
        }
        this.#handle(decodeClientMessage(frame))
        if (performance.now() - began > this.#host.services.turns.limitMs) {
          setImmediate(() => this.#pump())
          break
        }
      }
      this.#pause(true)
    } catch (error) {
      this.#fail(error)
    }
  }

  #mayRead(): boolean {
    if (this.#isClosed || this.#isStopping || this.#isAuthenticating) return false
    return this.#output.unsentBytes < UNSENT_BYTES && this.#requests?.isBusy !== true
  }

  #pause(isPaused: boolean): void {
    if (isPaused === this.#isPaused || this.#isClosed) return
    this.#isPaused = isPaused
    if (isPaused) this.#transport.pause()
    else this.#transport.resume()
  }

  #handle({ request: id, message }: Numbered<ClientMessage>): void {
    switch (message.type) {
      case 'goodbye':
        this.#close(undefined)
        break
      case 'release':
      case 'cancel':
      case 'credit':
        if (this.#requests === undefined) throw tooEarly(message.type)
        this.#requests.notice(message)
        break
      default:
        if (this.#requests !== undefined) this.#requests.handle(id, message)
        else this.#greet(id, message)
    }
  }

  #greet(id: number, request: Request): void {
    this.#isAuthenticating = true
    this.#handshake
      .take(request)
      .then((step) => this.#takeStep(id, step))
      .catch((error) => this.#fail(error))
  }

  #takeStep(id: number, { reply, identity, limits }: HandshakeStep): void {
    this.#isAuthenticating = false
    if (this.#isClosed) return
    if (identity !== undefined && limits !== undefined) this.#letIn(identity, limits)
    this.#output.send(encodeServerMessage(id, reply))
    this.#pump()
  }

  #letIn(identity: Identity, limits: Limits): void {
    this.#reader.limitBytes = limits.frameBytes
    this.#requests = new Requests(this.#host, identity, limits, this.#output, () => this.#pump())
    this.#host.welcomed()
    this.#host.log({ event: 'welcomed', protocol: 2, ...identity, agent: this.#handshake.agent })
  }

  #hasStalled(): boolean {
    const waiting = this.#transport.queuedBytes
    const isStalled = waiting > 0 && waiting === this.#stalledBytes
    this.#stalledBytes = waiting
    this.#stalledTicks = isStalled ? this.#stalledTicks + 1 : 0
    if (this.#stalledTicks < MOST_STALLED_TICKS) return false
    this.#fail(new PerdureError('PERDURE_TIMEOUT', 'The client takes nothing of what it is sent.'))
    return true
  }

  /** Ends the connection because of what the client did. */
  #fail(error: unknown): void {
    if (this.#isClosed) return
    this.#host.blame(error as Error)
    this.#close(error)
  }

  /** @param reason told to the client; undefined if it has taken its leave */
  #close(reason: unknown): void {
    if (this.#isClosed) return
    if (reason !== undefined && this.#preface.length === 0) {
      this.#output.send(encodeServerMessage(0, { type: 'closing', error: packError(reason) }))
    }
    this.#end()
    this.#transport.close()
  }

  #end(): void {
    if (this.#isClosed) return
    this.#output.close()
    this.#isClosed = true
    this.#requests?.abandon()
  }
}

function tooEarly(type: string): PerdureError {
  return new PerdureError('PERDURE_PROTOCOL', `'${type}' came before the client was let in.`)
}

import { PerdureError } from '../core/errors.js'
import type { Exchange, ExchangeStep, Identity } from './authentication.js'
import {
  type Hello,
  type Limits,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  type Welcome,
} from './protocol/messages.js'
import type { SessionHost } from './session-host.js'
import type { Transport } from './transport.js'

/** An answer to a message of the handshake, and who the client is once that is known. */
export interface HandshakeStep {
  readonly reply: Reply
  readonly identity?: Identity
  /** What was agreed on. */
  readonly limits?: Limits
}

/** A mechanism has no business with more messages than this. */
const MOST_STEPS = 16

/** From `hello` to `welcome`. */
export class Handshake {
  readonly #host: SessionHost
  readonly #transport: Transport
  #hello: Hello | undefined
  #exchange: Exchange | undefined
  /** Found out, while the client has yet to see the mechanism's last message. */
  #identity: Identity | undefined
  #mechanism = ''
  #steps = 0

  constructor(host: SessionHost, transport: Transport) {
    this.#host = host
    this.#transport = transport
  }

  /** What the client says it is. */
  get agent(): string {
    return this.#hello?.agent ?? ''
  }

  /** @throws PerdureError `PERDURE_PROTOCOL`, `PERDURE_AUTHENTICATION`; the connection is to be closed then */
  async take(request: Request): Promise<HandshakeStep> {
    if (request.type === 'hello' && this.#hello === undefined) return this.#greet(request.hello)
    if (request.type === 'authenticate' && this.#hello !== undefined) return this.#authenticate(request)
    throw new PerdureError('PERDURE_PROTOCOL', `'${request.type}' came before the client was let in.`)
  }

  #greet(hello: Hello): HandshakeStep {
    if (!hello.versions.includes(PROTOCOL_VERSION)) {
      throw new PerdureError(
        'PERDURE_PROTOCOL',
        `The client speaks version ${hello.versions.join(', ') || 'none'} of the protocol, and the server ${PROTOCOL_VERSION}. Use the same release on both sides.`,
      )
    }
    this.#hello = hello
    const { authenticator } = this.#host.services
    const identity = authenticator.identify(this.#transport)
    if (identity !== undefined) return this.#welcome(identity)
    return {
      reply: { type: 'challenge', mechanisms: authenticator.mechanisms(this.#transport), data: new Uint8Array() },
    }
  }

  async #authenticate({ mechanism, data }: Extract<Request, { type: 'authenticate' }>): Promise<HandshakeStep> {
    if (this.#identity !== undefined && data.length === 0) return this.#welcome(this.#identity)
    try {
      const step = await this.#step(mechanism, data)
      if (step.user === undefined) return { reply: { type: 'challenge', mechanisms: [], data: step.challenge } }
      const { user, role } = step
      if (step.data === undefined) return this.#welcome({ user, role })
      this.#identity = { user, role }
      return { reply: { type: 'challenge', mechanisms: [], data: step.data } }
    } catch (error) {
      this.#host.log({ event: 'authenticationFailed', mechanism: this.#mechanism, error: error as Error })
      throw withoutCause(error)
    }
  }

  async #step(mechanism: string, data: Uint8Array): Promise<ExchangeStep> {
    if (this.#identity !== undefined || ++this.#steps > MOST_STEPS) {
      throw new PerdureError('PERDURE_PROTOCOL', 'The exchange has more messages than there can be.')
    }
    if (this.#exchange === undefined) {
      const { authenticator } = this.#host.services
      const offered = authenticator.mechanisms(this.#transport)
      if (!offered.includes(mechanism)) {
        throw new PerdureError(
          'PERDURE_AUTHENTICATION',
          `The mechanism '${mechanism}' is not offered here; ${offered.join(', ') || 'none'} is.`,
        )
      }
      this.#mechanism = mechanism
      this.#exchange = authenticator.begin(mechanism, this.#transport)
    }
    return this.#exchange.step(data)
  }

  #welcome(identity: Identity): HandshakeStep {
    const { storage, serverId, databaseId, limits: own } = this.#host.services
    const wanted = this.#hello?.limits ?? own
    const limits = {
      frameBytes: Math.min(own.frameBytes, wanted.frameBytes),
      requests: Math.min(own.requests, wanted.requests),
      snapshots: Math.min(own.snapshots, wanted.snapshots),
    }
    const welcome: Welcome = {
      version: PROTOCOL_VERSION,
      limits,
      serverId,
      databaseId,
      location: storage.location,
      serializer: storage.serializer,
      capabilities: [...storage.capabilities],
      readonly: storage.readonly,
      role: identity.role,
    }
    return { reply: { type: 'welcome', welcome }, identity, limits }
  }
}

/** The cause is for the log: it may tell a stranger which users there are. */
function withoutCause(error: unknown): PerdureError {
  if (!(error instanceof PerdureError)) {
    return new PerdureError('PERDURE_AUTHENTICATION', 'The server could not find out who you are.')
  }
  return new PerdureError(error.code, error.message)
}

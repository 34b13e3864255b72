import { timingSafeEqual } from 'node:crypto'
import type { PerdureError } from '../../core/errors.js'
import { authenticationError } from './authentication-error.js'
import { hash, hmac, KEY_BYTES, type ScramVerifier, xor } from './scram-keys.js'
import {
  type ClientFirst,
  makeNonce,
  parseClientFinal,
  parseClientFirst,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  serverFirst,
} from './scram-messages.js'

/** What the server knows of a name: for an unknown one a verifier that nobody has the password of. */
export interface KnownUser<Who> {
  readonly verifier: ScramVerifier
  /** Undefined for an unknown name. */
  readonly who: Who | undefined
}

export interface ScramServerOptions<Who> {
  readonly lookUp: (name: string) => Promise<KnownUser<Who>>
  /** The bytes of `tls-exporter` (RFC 9266) where there is TLS, so that the exchange can be bound to it. */
  readonly channelBinding?: Uint8Array | undefined
  /** For tests. */
  readonly nonce?: string
}

/** The server's answer to a message, and, with the last one, who the client is. */
export interface ScramStep<Who> {
  readonly data: Buffer
  readonly who?: Who
}

/** An exchange after its first message. */
interface Begun<Who> {
  readonly first: ClientFirst
  readonly user: KnownUser<Who>
  /** The client's part and the server's. */
  readonly nonce: string
  readonly serverFirst: string
}

/** The mechanisms a server offers, best first. */
export function scramMechanisms(channelBinding: Uint8Array | undefined): readonly string[] {
  return channelBinding === undefined ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256]
}

/**
 * The server's side of one exchange of SCRAM-SHA-256 (RFC 5802, RFC 7677), with or without channel binding: two messages
 * come in, two go out. An unknown user goes all the way, and fails where a wrong password does.
 */
export class ScramServer<Who> {
  readonly #mechanism: string
  readonly #options: ScramServerOptions<Who>
  #begun: Begun<Who> | undefined
  #messages = 0

  /** @throws PerdureError `PERDURE_AUTHENTICATION` for a mechanism that {@link scramMechanisms} does not offer */
  constructor(mechanism: string, options: ScramServerOptions<Who>) {
    this.#mechanism = mechanism
    this.#options = options
    const offered = scramMechanisms(options.channelBinding)
    if (!offered.includes(mechanism)) {
      throw authenticationError(`The server authenticates by ${offered.join(' or ')}.`, 'unknown mechanism')
    }
  }

  /**
   * Takes the client's next message.
   *
   * @throws PerdureError `PERDURE_AUTHENTICATION`; the exchange is over then
   */
  async step(message: Uint8Array): Promise<ScramStep<Who>> {
    this.#messages++
    if (this.#messages === 1) return { data: await this.#begin(message) }
    const begun = this.#begun
    this.#begun = undefined
    if (begun === undefined) throw malformed('a message after the end of the exchange')
    return this.#finish(begun, message)
  }

  async #begin(message: Uint8Array): Promise<Buffer> {
    const first = parseClientFirst(message)
    if (first === undefined) throw malformed('malformed first message')
    this.#checkFlag(first)
    const user = await this.#options.lookUp(first.user)
    const nonce = first.nonce + (this.#options.nonce ?? makeNonce())
    const answer = serverFirst(nonce, user.verifier.salt, user.verifier.iterations)
    this.#begun = { first, user, nonce, serverFirst: answer }
    return Buffer.from(answer)
  }

  /**
   * The flag is under the client's signature. A client that says it would bind the channel if it were offered, to a server
   * that has offered it, has been shown another list of mechanisms by somebody in between.
   */
  #checkFlag({ flag }: ClientFirst): void {
    if ((flag === 'p') !== (this.#mechanism === SCRAM_SHA_256_PLUS)) throw malformed('flag and mechanism do not agree')
    if (flag === 'y' && this.#options.channelBinding !== undefined) {
      throw authenticationError(
        `Authentication refused: this server offers ${SCRAM_SHA_256_PLUS}, but the client was told that it does not.`,
        'downgrade of channel binding',
      )
    }
  }

  #finish(
    { first, user, nonce, serverFirst }: Begun<Who>,
    message: Uint8Array,
  ): ScramStep<Who> & { readonly who: Who } {
    const final = parseClientFinal(message)
    if (final === undefined) throw malformed('malformed final message')
    if (final.nonce !== nonce) throw malformed('wrong nonce: perhaps a replayed exchange')
    const channel = first.flag === 'p' ? (this.#options.channelBinding ?? new Uint8Array()) : new Uint8Array()
    if (!final.binding.equals(Buffer.concat([Buffer.from(first.gs2Header), channel]))) {
      throw authenticationError(
        'Authentication refused: client and server are not at the two ends of one TLS connection.',
        'channel bindings do not match',
      )
    }
    const { storedKey, serverKey } = user.verifier
    const signed = `${first.bare},${serverFirst},${final.withoutProof}`
    const signature = hmac(storedKey, signed)
    const proven = final.proof.length === KEY_BYTES && timingSafeEqual(hash(xor(final.proof, signature)), storedKey)
    const data = Buffer.from(`v=${hmac(serverKey, signed).toString('base64')}`)
    if (!proven || user.who === undefined) {
      throw authenticationError(
        'Authentication failed: wrong user name or password.',
        user.who === undefined ? 'no such user' : 'wrong password',
      )
    }
    return { data, who: user.who }
  }
}

function malformed(reason: string): PerdureError {
  return authenticationError('Authentication failed: the messages of the exchange make no sense.', reason)
}

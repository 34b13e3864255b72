import { timingSafeEqual } from 'node:crypto'
import { PerdureError } from '../../core/errors.js'
import { authenticationError } from './authentication-error.js'
import { saslprep } from './saslprep.js'
import { deriveSecret, hash, hmac, KEY_BYTES, LEAST_ITERATIONS, MOST_ITERATIONS, xor } from './scram-keys.js'
import {
  type BindingFlag,
  clientFinalWithoutProof,
  clientFirstBare,
  gs2Header,
  makeNonce,
  parseServerFinal,
  parseServerFirst,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
} from './scram-messages.js'

export interface ScramClientOptions {
  readonly user: string
  readonly password: string
  /** What the server offers. */
  readonly mechanisms: readonly string[]
  /** The bytes of `tls-exporter` (RFC 9266) where there is TLS: {@link tlsExporter}. */
  readonly channelBinding?: Uint8Array | undefined
  /** For tests. */
  readonly nonce?: string
}

/**
 * The client's side of one exchange of SCRAM-SHA-256 (RFC 5802, RFC 7677). The channel is bound whenever client and
 * server both can. The password does not leave it, and the server proves that it has the password's verifier.
 *
 * Send `mechanism` with {@link first}, then what {@link final} makes of the answer, then give the answer to that to
 * {@link verify}.
 */
export class ScramClient {
  readonly mechanism: string
  readonly #password: string
  readonly #nonce: string
  readonly #header: string
  readonly #channel: Uint8Array
  readonly #bare: string
  #signature: Buffer | undefined

  /**
   * @throws PerdureError `PERDURE_AUTHENTICATION` if the server offers no mechanism that is known here;
   *   `PERDURE_ARGUMENT` for a name or a password that cannot be one
   */
  constructor({ user, password, mechanisms, channelBinding, nonce = makeNonce() }: ScramClientOptions) {
    const bound = channelBinding !== undefined && mechanisms.includes(SCRAM_SHA_256_PLUS)
    this.mechanism = bound ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256
    if (!mechanisms.includes(this.mechanism)) {
      throw authenticationError(
        `The server authenticates by ${mechanisms.join(', ') || 'nothing'}, this client only by ${SCRAM_SHA_256}.`,
      )
    }
    const flag: BindingFlag = bound ? 'p' : channelBinding === undefined ? 'n' : 'y'
    this.#header = gs2Header(flag)
    this.#channel = bound ? channelBinding : new Uint8Array()
    this.#password = saslprep(password, 'password')
    this.#nonce = nonce
    this.#bare = clientFirstBare(saslprep(user, 'user name'), nonce)
  }

  first(): Buffer {
    return Buffer.from(this.#header + this.#bare)
  }

  /**
   * The answer to the server's first message.
   *
   * @throws PerdureError `PERDURE_AUTHENTICATION` if the message makes no sense, was meant for another exchange, or asks
   *   for too little or too much work
   */
  async final(message: Uint8Array): Promise<Buffer> {
    const first = parseServerFirst(message)
    if (first === undefined) throw untrusted('its first message makes no sense')
    const { nonce, salt, iterations } = first
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) throw untrusted('its nonce is wrong')
    if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
      throw untrusted(`it asks for ${iterations} iterations; ${LEAST_ITERATIONS} to ${MOST_ITERATIONS} are accepted`)
    }
    const { clientKey, serverKey } = await deriveSecret(this.#password, salt, iterations)
    const withoutProof = clientFinalWithoutProof(Buffer.concat([Buffer.from(this.#header), this.#channel]), nonce)
    const signed = `${this.#bare},${first.text},${withoutProof}`
    this.#signature = hmac(serverKey, signed)
    const proof = xor(clientKey, hmac(hash(clientKey), signed))
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /**
   * Checks the server's last message.
   *
   * @throws PerdureError `PERDURE_AUTHENTICATION` if the server does not know the password's verifier
   */
  verify(message: Uint8Array): void {
    const expected = this.#signature
    const signature = parseServerFinal(message)
    if (expected === undefined)
      throw new PerdureError('PERDURE_PROTOCOL', 'The server ended the exchange before it began.')
    if (signature?.length !== KEY_BYTES || !timingSafeEqual(signature, expected)) {
      throw untrusted('it does not know the verifier of this password')
    }
  }
}

function untrusted(why: string): PerdureError {
  return authenticationError(`The server at this address cannot be trusted: ${why}.`)
}

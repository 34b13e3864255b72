import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { saslprep } from './saslprep.js'

const pbkdf2Async = promisify(pbkdf2)

/** What RFC 7677 demands at least. */
export const LEAST_ITERATIONS = 4096

/** Costs a client about 9 ms of one core for each login (measured), and a server nothing. */
export const DEFAULT_ITERATIONS = 32_768

/** A client refuses more, so that a hostile server cannot keep it busy: this many cost about half a second. */
export const MOST_ITERATIONS = 2_000_000

/** Lengths, in bytes, of a hash or key, and of a salt made here. */
export const KEY_BYTES = 32
export const SALT_BYTES = 16

/**
 * What a server keeps of a password. It serves to check a login, not to log in: that takes the client key, whose hash
 * `storedKey` is. (Whoever has it can pose as the server, though, and can try passwords, at the price of the iterations.)
 */
export interface ScramVerifier {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** What a client makes of a password for one salt and iteration count. */
export interface ScramSecret {
  readonly clientKey: Buffer
  readonly serverKey: Buffer
}

/**
 * The keys of RFC 5802, section 3. The work is done by Node's thread pool, so it blocks nobody.
 *
 * @param password as the user typed it
 * @throws PerdureError `PERDURE_ARGUMENT` for a password that {@link saslprep} refuses
 */
export async function deriveSecret(password: string, salt: Uint8Array, iterations: number): Promise<ScramSecret> {
  const prepared = saslprep(password, 'password')
  const salted = await pbkdf2Async(Buffer.from(prepared, 'utf8'), salt, iterations, KEY_BYTES, 'sha256')
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') }
}

/**
 * What to store for a new password.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` for a password that {@link saslprep} refuses
 */
export async function makeVerifier(
  password: string,
  iterations: number = DEFAULT_ITERATIONS,
  salt: Buffer = randomBytes(SALT_BYTES),
): Promise<ScramVerifier> {
  const { clientKey, serverKey } = await deriveSecret(password, salt, iterations)
  return { salt, iterations, storedKey: hash(clientKey), serverKey }
}

/**
 * A verifier that nobody has the password of, for a name that is not known: always the same for one name, so that asking
 * twice does not tell whether there is such a user.
 *
 * @param secret known to the server alone
 */
export function fakeVerifier(secret: Uint8Array, name: string, iterations: number): ScramVerifier {
  return {
    salt: hmac(secret, `salt ${name}`).subarray(0, SALT_BYTES),
    iterations,
    storedKey: hmac(secret, `stored key ${name}`),
    serverKey: hmac(secret, `server key ${name}`),
  }
}

export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function hash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

export function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] as number)))
}

import { randomBytes } from 'node:crypto'

/*
 * The messages of SCRAM (RFC 5802, section 7): attributes `x=value`, separated by commas. Parsing returns undefined for
 * whatever does not follow the grammar; the two sides say who is to blame.
 */

export const SCRAM_SHA_256 = 'SCRAM-SHA-256'
/** The same, bound to the TLS connection it runs in. */
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS'

/** The one type of channel binding used here (RFC 9266). */
export const BINDING_TYPE = 'tls-exporter'

/** Longer messages are refused unread. */
export const MAX_MESSAGE_BYTES = 4096

/** 24 random bytes, in characters that need no escape. */
export function makeNonce(): string {
  return randomBytes(24).toString('base64url')
}

/** `p=tls-exporter`: bound to the channel. `y`: would be, if the server could. `n`: cannot. */
export type BindingFlag = 'p' | 'y' | 'n'

export interface ClientFirst {
  readonly flag: BindingFlag
  /** The beginning of the message up to the second comma; the client repeats it under its signature. */
  readonly gs2Header: string
  /** The rest of the message. */
  readonly bare: string
  readonly user: string
  readonly nonce: string
}

/** The header for a client's first message. */
export function gs2Header(flag: BindingFlag): string {
  return flag === 'p' ? `p=${BINDING_TYPE},,` : `${flag},,`
}

export function clientFirstBare(user: string, nonce: string): string {
  return `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
}

/** A user who acts for another one (`a=`) and extensions that must be understood (`m=`) count as malformed. */
export function parseClientFirst(message: Uint8Array): ClientFirst | undefined {
  const text = decode(message)
  const match = /^((?:p=tls-exporter|(y|n)),,)(n=((?:[^,=\0]|=2C|=3D)+),r=([!-+\--~]+))$/.exec(text ?? '')
  if (match === null) return undefined
  const [, header = '', flag = 'p', bare = '', name = '', nonce = ''] = match
  const user = name.replaceAll('=2C', ',').replaceAll('=3D', '=')
  return { flag: flag as BindingFlag, gs2Header: header, bare, user, nonce }
}

export interface ServerFirst {
  readonly text: string
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

export function serverFirst(nonce: string, salt: Uint8Array, iterations: number): string {
  return `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`
}

export function parseServerFirst(message: Uint8Array): ServerFirst | undefined {
  const text = decode(message)
  const match = /^r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})$/.exec(text ?? '')
  const salt = parseBase64(match?.[2])
  if (text === undefined || match === null || salt === undefined) return undefined
  return { text, nonce: match[1] as string, salt, iterations: Number(match[3]) }
}

export interface ClientFinal {
  /** The message without its proof, which signs it. */
  readonly withoutProof: string
  /** The header of the first message, and the channel's bytes. */
  readonly binding: Buffer
  readonly nonce: string
  readonly proof: Buffer
}

export function clientFinalWithoutProof(binding: Uint8Array, nonce: string): string {
  return `c=${Buffer.from(binding).toString('base64')},r=${nonce}`
}

export function parseClientFinal(message: Uint8Array): ClientFinal | undefined {
  const match = /^(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)),p=([A-Za-z0-9+/=]+)$/.exec(decode(message) ?? '')
  const binding = parseBase64(match?.[2])
  const proof = parseBase64(match?.[4])
  if (match === null || binding === undefined || proof === undefined) return undefined
  return { withoutProof: match[1] as string, binding, nonce: match[3] as string, proof }
}

/** The server's signature out of its last message. */
export function parseServerFinal(message: Uint8Array): Buffer | undefined {
  return parseBase64(/^v=([A-Za-z0-9+/=]+)$/.exec(decode(message) ?? '')?.[1])
}

/** Undefined unless it is base64 as it should be written. */
export function parseBase64(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(message: Uint8Array): string | undefined {
  if (message.length > MAX_MESSAGE_BYTES) return undefined
  try {
    return UTF8.decode(message)
  } catch {
    return undefined
  }
}

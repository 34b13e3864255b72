import { PerdureError } from '../core/errors.js'

/*
 * Where a server listens, and where a client finds it. As text:
 *
 *   perdure://HOST[:PORT]        TCP
 *   perdure+tls://HOST[:PORT]    TCP with TLS
 *   perdure+unix:///PATH         a Unix socket
 *   perdure+unix:@NAME           a Unix socket in Linux's abstract namespace, which is no file
 *
 * A host that is an IPv6 address stands in brackets. In a path, `%` and two hexadecimal digits stand for a byte.
 */

/** The port of a server unless another one is given; that of Durus too. */
export const DEFAULT_PORT = 2972

/** The host of a server unless another one is given: nobody outside of the machine reaches it. */
export const DEFAULT_HOST = '127.0.0.1'

/** The longest path of a socket that every system of its kind takes, in bytes; longer ones would be cut off without notice. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103

export interface TcpAddress {
  readonly kind: 'tcp'
  /** A name or an IP address, without brackets. */
  readonly host: string
  /** 0, where a server listens, means: any that is free. */
  readonly port: number
  readonly tls: boolean
}

export interface SocketAddress {
  readonly kind: 'unix'
  /** A path; or, of an abstract socket, `@` and its name. */
  readonly path: string
}

export type Address = TcpAddress | SocketAddress

/** An address as a user may give it. */
export type AddressLike =
  | string
  | { readonly host?: string; readonly port?: number; readonly tls?: boolean }
  | { readonly path: string }

/** True for what {@link parseAddress} reads: a URL of one of Perdure's schemes. */
export function isAddressUrl(text: string): boolean {
  return /^perdure(:\/\/|\+[a-z]*:)/i.test(text)
}

/**
 * Reads an address.
 *
 * @param given a URL as said above; or its parts, of which host and port have defaults
 * @throws PerdureError `PERDURE_ARGUMENT` for anything else, and for a URL with a password, which is never repeated in
 *   the message; `PERDURE_UNSUPPORTED` for an abstract socket where there are none
 */
export function parseAddress(given: AddressLike): Address {
  if (typeof given === 'string') return parseUrl(given)
  if ('path' in given) return socketAddress(given.path)
  return tcpAddress(given.host ?? DEFAULT_HOST, given.port ?? DEFAULT_PORT, given.tls === true)
}

/** The address as a URL that {@link parseAddress} reads. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') {
    const path = address.path.split('/').map(encodeURIComponent).join('/').replace(/^%40/, '@')
    return `perdure+unix:${path.startsWith('/') ? '//' : ''}${path}`
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `perdure${address.tls ? '+tls' : ''}://${host}:${address.port}`
}

/**
 * What `net.connect` and `server.listen` take. The name of an abstract socket has a length, zeros count, and releases of
 * Node differ in whether they fill it up; so that all find each other, it always is as long as it can be.
 */
export function socketOptions(address: Address): { host: string; port: number } | { path: string } {
  if (address.kind === 'tcp') return { host: address.host, port: address.port }
  if (!address.path.startsWith('@')) return { path: address.path }
  const zeros = '\0'.repeat(MAX_SOCKET_PATH_BYTES - Buffer.byteLength(address.path) + 1)
  return { path: `\0${address.path.slice(1)}${zeros}` }
}

function parseUrl(text: string): Address {
  const [, kind = '', rest = ''] = /^perdure(?:\+([a-z]+))?:(.*)$/is.exec(text) ?? []
  if (kind.toLowerCase() === 'unix') return socketAddress(decode(rest.replace(/^\/\/(?=\/)/, ''), text))
  if (text.includes('@')) {
    // What stands before the @ may be a secret.
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      'An address holds no user name and no password. Give them as the options user and password.',
    )
  }
  const match = /^\/\/(?:\[([0-9a-f:.%]+)\]|([^/:?#[\]\s]+))(?::(\d{1,5}))?\/?$/i.exec(rest)
  if (match === null || !['', 'tls'].includes(kind.toLowerCase())) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `'${text}' is not the address of a server. Write perdure://host:port, perdure+tls://host:port, perdure+unix:///path or perdure+unix:@name.`,
    )
  }
  const [, ip, name, port] = match
  return tcpAddress(ip ?? (name as string), port === undefined ? DEFAULT_PORT : Number(port), kind !== '')
}

function decode(path: string, text: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new PerdureError('PERDURE_ARGUMENT', `'${text}' has a % that is not followed by the digits of UTF-8 bytes.`)
  }
}

function tcpAddress(host: string, port: number, tls: boolean): TcpAddress {
  if (typeof host !== 'string' || host === '' || /[\s/@[\]]/.test(host)) {
    throw new PerdureError('PERDURE_ARGUMENT', `'${host}' is not a host: give a name or an IP address.`)
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new PerdureError('PERDURE_ARGUMENT', `${port} is not a port: give a number from 0 to 65535.`)
  }
  return { kind: 'tcp', host, port, tls }
}

function socketAddress(path: string): SocketAddress {
  if (typeof path !== 'string' || path === '' || path === '@' || path.includes('\0')) {
    throw new PerdureError('PERDURE_ARGUMENT', `'${path}' is not the path of a socket.`)
  }
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `The path of a socket has at most ${MAX_SOCKET_PATH_BYTES} bytes, and ${path} has ${bytes}.`,
    )
  }
  if (path.startsWith('@') && process.platform !== 'linux') {
    throw new PerdureError('PERDURE_UNSUPPORTED', `Only Linux has abstract sockets such as ${path}. Give a path.`)
  }
  return { kind: 'unix', path }
}

import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { type ErrorCode, PerdureError, systemCode } from '../../core/errors.js'
import { type Address, formatAddress, socketOptions } from '../address.js'
import { inheritedPath } from './socket-activation.js'
import { type SocketAccess, SocketFile } from './socket-file.js'
import type { LoadedTls } from './tls-files.js'

/** TLS handshakes under way at a time. When there are more, the oldest is given up: who is slow must not keep others out. */
const MAX_HANDSHAKES = 1024

/** Connections that the system has accepted and that this process has not looked at yet; the system may allow fewer. */
const BACKLOG = 4096

/** After a silence so long the system asks whether the peer is still there. */
const KEEP_ALIVE_MS = 60_000

const ERRORS: Record<string, readonly [ErrorCode, string]> = {
  EADDRINUSE: ['PERDURE_LOCKED', 'Another process listens there. Stop it, or give another address.'],
  EACCES: ['PERDURE_PERMISSION', 'Ports below 1024 need special permission.'],
  EADDRNOTAVAIL: ['PERDURE_ARGUMENT', 'This machine has no such address.'],
  ENOTFOUND: ['PERDURE_ARGUMENT', 'There is no such host.'],
  EBADF: ['PERDURE_ARGUMENT', 'The descriptor is not open.'],
  EINVAL: ['PERDURE_ARGUMENT', 'It is not a listening socket.'],
  ENOTSOCK: ['PERDURE_ARGUMENT', 'It is not a listening socket.'],
}

/** Where to listen: an address, or a descriptor of a socket that listens already. */
export type ListenTarget = Address | { readonly kind: 'fd'; readonly fd: number }

export interface ListenerOptions {
  /** Takes each connection, with TLS after the handshake, and the address it was made to. */
  readonly accept: (socket: Socket, address: Address) => void
  /** Told of each connection whose TLS handshake failed. */
  readonly refused: (peer: string, error: Error) => void
  /** For TCP. */
  readonly tls: LoadedTls | undefined
  /** For Unix sockets. */
  readonly access: SocketAccess
  readonly handshakeTimeoutMs: number
  /** TLS handshakes under way at a time, for tests. Default 1024. */
  readonly maxHandshakes?: number
}

/** One address at which a server listens. */
export class Listener {
  /** With the actual port. */
  readonly address: Address
  readonly #server: Server
  readonly #tls: TlsGate | undefined
  readonly #file: SocketFile | undefined

  private constructor(address: Address, server: Server, tls: TlsGate | undefined, file: SocketFile | undefined) {
    this.address = address
    this.#server = server
    this.#tls = tls
    this.#file = file
  }

  /**
   * @throws PerdureError `PERDURE_LOCKED` if somebody else listens there, `PERDURE_PERMISSION`, `PERDURE_ARGUMENT`,
   *   `PERDURE_NOT_FOUND`, `PERDURE_IO`
   */
  static async open(target: ListenTarget, options: ListenerOptions): Promise<Listener> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
    if (target.kind === 'unix' && !target.path.startsWith('@')) {
      server.on('connection', (socket) => options.accept(socket, target))
      return new Listener(target, server, undefined, await SocketFile.listen(server, target.path, options.access))
    }
    await listen(server, target)
    const address = addressOf(server, target, options.tls !== undefined)
    const accept = (socket: Socket): void => options.accept(socket, address)
    const { tls } = options
    const gate = address.kind === 'tcp' && tls !== undefined ? new TlsGate(tls, accept, options) : undefined
    server.on('connection', gate === undefined ? accept : (socket) => gate.admit(socket))
    return new Listener(address, server, gate, undefined)
  }

  /** How a client on this machine gets here. */
  get url(): string {
    const { address } = this
    const everywhere = address.kind === 'tcp' && (address.host === '0.0.0.0' || address.host === '::')
    return formatAddress(everywhere ? { ...address, host: 'localhost' } : address)
  }

  /** New connections get this certificate. */
  reload(tls: LoadedTls): void {
    this.#tls?.reload(tls)
  }

  /** Takes no more connections. Those that are made go on, but for TLS handshakes under way. */
  close(): void {
    this.#server.close()
    this.#tls?.close()
    this.#file?.remove()
  }
}

/** Makes TLS connections out of TCP ones, within limits of number and time. */
class TlsGate {
  readonly #server: TlsServer
  /** By their two ends, the oldest first. */
  readonly #handshaking = new Map<string, Socket>()
  readonly #most: number

  constructor(tls: LoadedTls, accept: (socket: Socket) => void, options: ListenerOptions) {
    const { refused, handshakeTimeoutMs, maxHandshakes = MAX_HANDSHAKES } = options
    this.#most = maxHandshakes
    this.#server = createTlsServer({ ...tls.options, handshakeTimeout: handshakeTimeoutMs })
    this.#server.on('secureConnection', (socket) => {
      this.#handshaking.delete(endsOf(socket))
      accept(socket)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      refused(peerOf(socket), error)
      socket.destroy()
    })
  }

  admit(socket: Socket): void {
    const [oldest] = this.#handshaking.values()
    if (oldest !== undefined && this.#handshaking.size >= this.#most) oldest.destroy()
    const ends = endsOf(socket)
    this.#handshaking.set(ends, socket)
    socket.once('close', () => {
      if (this.#handshaking.get(ends) === socket) this.#handshaking.delete(ends)
    })
    this.#server.emit('connection', socket)
  }

  reload({ options }: LoadedTls): void {
    this.#server.setSecureContext(options)
  }

  close(): void {
    for (const socket of this.#handshaking.values()) socket.destroy()
  }
}

/** No two connections have the same. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

function listen(server: Server, target: ListenTarget): Promise<void> {
  const where = target.kind === 'fd' ? `descriptor ${target.fd}` : formatAddress(target)
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const system = systemCode(error) ?? 'unknown'
      const [code, advice] = ERRORS[system] ?? ['PERDURE_IO' as const, 'Look at the system’s log.']
      reject(
        new PerdureError(code, `Cannot listen at ${where} (${system}). ${advice}`, {
          details: { path: where, system },
          cause: error,
        }),
      )
    })
    const done = (): void => {
      server.removeAllListeners('error')
      // The system may be out of descriptors for a while; connections wait until then.
      server.on('error', () => {})
      resolve()
    }
    if (target.kind === 'fd') server.listen({ fd: target.fd, backlog: BACKLOG }, done)
    else server.listen({ ...socketOptions(target), backlog: BACKLOG }, done)
  })
}

/** What a socket is known as: the address asked for with its actual port, or that of an inherited one. */
function addressOf(server: Server, target: ListenTarget, tls: boolean): Address {
  const actual = server.address()
  if (target.kind === 'unix') return target
  // Of an inherited Unix socket, Node says nothing.
  if (typeof actual !== 'object' || actual?.port === undefined) {
    return { kind: 'unix', path: inheritedPath((target as { readonly fd: number }).fd) }
  }
  return { kind: 'tcp', host: target.kind === 'tcp' ? target.host : actual.address, port: actual.port, tls }
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'unknown' : `${socket.remoteAddress}:${socket.remotePort}`
}

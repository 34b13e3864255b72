import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { PerdureError, systemCode } from '../../core/errors.js'
import { type Address, formatAddress, socketOptions } from '../../server/address.js'
import { tlsExporter } from '../../server/auth/channel-binding.js'
import type { BridgeSettings } from './bridge-messages.js'
import type { ClientTlsOptions } from './client-options.js'
import { type Beginning, EndedEarly, shakeHands } from './handshake.js'

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1000

/** The operating system asks a silent peer whether it is still there after this long, in ms. */
const KEEP_ALIVE_MS = 30_000

/** What may be over when one tries again. */
const PASSING = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'EAGAIN',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
])

/** A connection that may be used. */
export interface Dialed extends Beginning {
  readonly socket: Socket
}

/**
 * Connects, and tries again until a server is there, or `limitMs` have passed.
 *
 * @param signal gives it up
 * @throws PerdureError `PERDURE_TIMEOUT`, and at once, for what does not pass with time, `PERDURE_NOT_FOUND` for an
 *   unknown host, `PERDURE_PERMISSION`, `PERDURE_AUTHENTICATION`, `PERDURE_PROTOCOL`, `PERDURE_IO`
 */
export async function dial(settings: BridgeSettings, limitMs: number, signal: AbortSignal): Promise<Dialed> {
  const until = performance.now() + limitMs
  const peer = formatAddress(settings.address)
  let pauseMs = FIRST_PAUSE_MS
  for (;;) {
    signal.throwIfAborted()
    const left = Math.max(1, until - performance.now())
    let problem: unknown
    try {
      return await attempt(settings, left, signal)
    } catch (error) {
      problem = error
    }
    signal.throwIfAborted()
    if (!isPassing(problem)) throw final(problem, peer)
    // Clients that have lost the same server do not all come back at once.
    const rest = pauseMs * (0.5 + Math.random() / 2)
    if (performance.now() + rest >= until) throw timeout(peer, limitMs, problem)
    await new Promise((resolve) => setTimeout(resolve, rest))
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
  }
}

/** The connection did not come about in time, and nothing else is known. */
class Silence extends Error {}

async function attempt(settings: BridgeSettings, limitMs: number, signal: AbortSignal): Promise<Dialed> {
  const socket = openSocket(settings.address, settings.tls)
  const giveUp = () => socket.destroy(new Silence('The attempt was given up.'))
  const timer = setTimeout(() => socket.destroy(new Silence('The server said nothing.')), limitMs)
  signal.addEventListener('abort', giveUp)
  try {
    await connected(socket, 'getCipher' in socket ? 'secureConnect' : 'connect')
    const channelBinding = 'getCipher' in socket ? tlsExporter(socket) : undefined
    const { user, password } = settings
    return { socket, ...(await shakeHands(socket, { user, password, channelBinding })) }
  } catch (error) {
    // An error that nobody hears would end the thread.
    socket.on('error', () => {})
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
}

function openSocket(address: Address, { ca, cert, key, servername }: ClientTlsOptions): Socket | TLSSocket {
  const place = socketOptions(address)
  const options = { ...place, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
  if (address.kind !== 'tcp' || !address.tls) return connectTcp(options)
  return connectTls({
    ...options,
    minVersion: 'TLSv1.3',
    // Server Name Indication is for names; for an IP address Node compares the certificate with the host itself.
    ...(servername !== undefined && { servername }),
    ...(ca !== undefined && { ca: asBuffer(ca) }),
    ...(cert !== undefined && { cert: asBuffer(cert) }),
    ...(key !== undefined && { key: asBuffer(key) }),
  })
}

/** Buffers lose their class on the way between threads. */
function asBuffer(value: string | Uint8Array): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value)
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      socket.off(event, done).off('error', done).off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onClose = () => done(new EndedEarly('The connection was closed.'))
    socket.on(event, done).on('error', done).on('close', onClose)
  })
}

function isPassing(error: unknown): boolean {
  if (error instanceof EndedEarly || error instanceof Silence) return true
  // The server is stopping, or has no room at the moment.
  if (error instanceof PerdureError) return ['PERDURE_CLOSED', 'PERDURE_DISCONNECTED'].includes(error.code)
  return PASSING.has(systemCode(error) ?? '')
}

function final(error: unknown, peer: string): PerdureError {
  if (error instanceof PerdureError) {
    return new PerdureError(error.code, `${peer}: ${error.message}`, {
      details: { ...error.details, peer },
      ...(error.cause !== undefined && { cause: error.cause }),
    })
  }
  const system = systemCode(error) ?? ''
  const details = { peer, system }
  const message = error instanceof Error ? error.message : String(error)
  if (system === 'ENOTFOUND') {
    return new PerdureError('PERDURE_NOT_FOUND', `${peer}: there is no such host.`, { details, cause: error })
  }
  if (system === 'EACCES' || system === 'EPERM') {
    return new PerdureError('PERDURE_PERMISSION', `${peer}: this user may not connect (${message}).`, {
      details,
      cause: error,
    })
  }
  if (system === 'EPROTO' || /^ERR_SSL_/.test(system)) {
    const alert = /alert/i.test(message)
    return new PerdureError(
      alert ? 'PERDURE_AUTHENTICATION' : 'PERDURE_PROTOCOL',
      alert
        ? `${peer}: the server refused the TLS connection; it may ask for another certificate (${message}).`
        : `${peer}: the other side does not speak TLS 1.3 (${message}).`,
      { details, cause: error },
    )
  }
  if (isCertificateProblem(system)) {
    return new PerdureError(
      'PERDURE_AUTHENTICATION',
      `${peer}: the server's certificate is not trusted (${message}). Name who has signed it with the option tls.ca.`,
      { details, cause: error },
    )
  }
  return new PerdureError('PERDURE_IO', `${peer}: cannot connect (${message}).`, { details, cause: error })
}

/** OpenSSL's names of what is wrong with a chain of certificates, and Node's for a name that differs. */
function isCertificateProblem(system: string): boolean {
  return /CERT|ISSUER|SIGNATURE|CRL|^ERR_TLS_/.test(system)
}

function timeout(peer: string, timeoutMs: number, problem: unknown): PerdureError {
  const message = problem instanceof Error ? problem.message : String(problem)
  return new PerdureError(
    'PERDURE_TIMEOUT',
    `No server let this client in at ${peer} within ${Math.round(timeoutMs)} ms: ${message || systemCode(problem)}`,
    { details: { peer, timeoutMs }, cause: problem },
  )
}

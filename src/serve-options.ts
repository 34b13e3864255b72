import { PerdureError } from './core/errors.js'
import { type AutomaticPackOptions, checkPackSchedule, PACK_SCHEDULE_OPTIONS } from './core/pack-schedule.js'
import { checkOptions } from './options.js'
import type { LogOptions } from './serve-log.js'
import { LOG_LEVELS } from './serve-log.js'
import { type Address, type AddressLike, DEFAULT_HOST, DEFAULT_PORT, parseAddress } from './server/address.js'
import { checkRole } from './server/auth/credentials.js'
import { accountNumber } from './server/listen/accounts.js'
import type { SocketAccess } from './server/listen/socket-file.js'
import type { TlsFiles } from './server/listen/tls-files.js'
import { DEFAULT_LIMITS, type Limits, type Role } from './server/protocol/messages.js'
import type { FileStorageOptions } from './storages/file-options.js'
import type { SqliteStorageOptions } from './storages/sqlite-options.js'

/** Who may connect to a Unix socket. */
export interface SocketOptions {
  /** A user's name or number. Default: who runs the server. */
  readonly owner?: string | number | undefined
  /** A group's name or number. Default: that of who runs the server. */
  readonly group?: string | number | undefined
  /** Permissions that the socket shall not have: a number, as in `0o007`. Default 0o077: its owner alone may connect. */
  readonly umask?: number | undefined
}

/** Options of {@link serve}: how to store, when to pack, where to listen, and whom to let in. */
export interface ServeOptions extends FileStorageOptions, SqliteStorageOptions, AutomaticPackOptions {
  /**
   * Where to listen. Default `perdure://127.0.0.1:2972`. A TCP address that is not of this machine alone needs `tls`, or
   * `insecure`.
   */
  readonly listen?: AddressLike | readonly AddressLike[] | undefined
  /** Take the listening sockets that systemd passes, in place of the default address. Default false. */
  readonly socketActivation?: boolean | undefined
  /** Who may connect to the Unix sockets in `listen`. */
  readonly socket?: SocketOptions | undefined
  /** Files in PEM. All TCP addresses then speak TLS 1.3. With `ca`, clients need certificates. */
  readonly tls?: TlsFiles | undefined
  /** Listen without TLS on addresses that other machines reach, and let strangers in there. Default false. */
  readonly insecure?: boolean | undefined
  /** A credentials file. Default: nobody is asked who they are. */
  readonly users?: string | undefined
  /** The role of everybody where nobody is asked. Default 'admin'. Not together with `users`. */
  readonly anonymous?: Role | undefined
  /** Let admins' clients, and where nobody is asked Durus clients, stop the server. Default false. */
  readonly allowRemoteStop?: boolean | undefined
  /** Connections at a time. Those that have not been let in yet give way to new ones. Default 10,000. */
  readonly maxConnections?: number | undefined
  /** Until when a client must have been let in, in ms. Default 10,000. */
  readonly handshakeTimeoutMs?: number | undefined
  /** What a client may ask at a time. */
  readonly limits?: Partial<Limits> | undefined
  /** Default: silent. */
  readonly log?: LogOptions | undefined
  /** Kind of a new database, `file` unless given; that of an existing one is recognised. See `registerStorage`. */
  readonly storage?: string | undefined
  /** Reload on SIGHUP, and stop on SIGTERM and SIGINT. Default false. */
  readonly signals?: boolean | undefined
}

/** Options with everything filled in and checked. */
export interface ServeSettings {
  readonly addresses: readonly Address[]
  readonly socketActivation: boolean
  readonly access: SocketAccess
  readonly tls: TlsFiles | undefined
  readonly insecure: boolean
  readonly users: string | undefined
  readonly anonymous: Role
  readonly allowRemoteStop: boolean
  readonly maxConnections: number
  readonly handshakeTimeoutMs: number
  readonly limits: Limits
  readonly log: LogOptions | undefined
  readonly signals: boolean
}

/** The options that are no business of the storage. */
export const SERVE_OPTIONS: readonly string[] = [
  'listen',
  'socketActivation',
  'socket',
  'tls',
  'insecure',
  'users',
  'anonymous',
  'allowRemoteStop',
  'maxConnections',
  'handshakeTimeoutMs',
  'limits',
  'log',
  'signals',
  ...PACK_SCHEDULE_OPTIONS,
]

export function isServeOption(name: string): boolean {
  return SERVE_OPTIONS.includes(name)
}

const LEAST_FRAME_BYTES = 65_536
const FLAGS = ['socketActivation', 'insecure', 'allowRemoteStop', 'signals'] as const

/**
 * Checks what can be checked before anything is opened.
 *
 * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_UNSUPPORTED` for an abstract socket where there are none
 */
export async function checkServeOptions(options: ServeOptions): Promise<ServeSettings> {
  checkPackSchedule(options)
  for (const name of FLAGS) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== 'boolean') throw wrong(name, 'true or false')
  }
  const { tls, users, insecure = false, socketActivation = false } = options
  if (tls !== undefined) checkTls(tls)
  if (users !== undefined && typeof users !== 'string') throw wrong('users', 'the path of a credentials file')
  if (users !== undefined && options.anonymous !== undefined) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      'With users everybody is asked who they are. Leave out users or anonymous.',
    )
  }
  return {
    addresses: checkAddresses(options),
    socketActivation,
    access: await checkSocket(options.socket ?? {}),
    tls,
    insecure,
    users,
    anonymous: checkRole(options.anonymous ?? 'admin'),
    allowRemoteStop: options.allowRemoteStop ?? false,
    maxConnections: number('maxConnections', options.maxConnections ?? 10_000, 1, 1_000_000),
    handshakeTimeoutMs: number('handshakeTimeoutMs', options.handshakeTimeoutMs ?? 10_000, 10, 600_000),
    limits: checkLimits(options.limits ?? {}),
    log: checkLog(options.log),
    signals: options.signals ?? false,
  }
}

/**
 * Refuses to serve strangers by accident.
 *
 * @param host where a server listens, or is about to
 * @throws PerdureError `PERDURE_ARGUMENT` if other machines reach the host and nothing keeps them out
 */
export function checkExposure(host: string, options: ServeOptions): void {
  if (options.insecure === true || isLoopback(host)) return
  if (options.tls === undefined) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `Other machines reach ${host}: everything would cross the network in clear. Give tls, or say insecure: true.`,
    )
  }
  if (options.users === undefined && options.tls.ca === undefined && options.anonymous === undefined) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `Other machines reach ${host}, and everybody would be let in as an admin. Give users, or tls.ca to ask for client certificates, or say which role strangers have with anonymous.`,
    )
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(host)
}

function checkAddresses(options: ServeOptions): Address[] {
  const { listen = options.socketActivation === true ? [] : { host: DEFAULT_HOST, port: DEFAULT_PORT } } = options
  const addresses = (Array.isArray(listen) ? (listen as AddressLike[]) : [listen as AddressLike]).map(parseAddress)
  return addresses.map((address) => {
    if (address.kind === 'unix') return address
    checkExposure(address.host, options)
    if (address.tls && options.tls === undefined) {
      throw new PerdureError('PERDURE_ARGUMENT', `To speak TLS at ${address.host}, the server needs the option tls.`)
    }
    return { ...address, tls: options.tls !== undefined }
  })
}

async function checkSocket(socket: SocketOptions): Promise<SocketAccess> {
  checkOptions('serve’s option socket', socket, ['owner', 'group', 'umask'])
  const { owner, group, umask = 0o077 } = socket
  return {
    uid: owner === undefined ? undefined : await accountNumber('user', owner),
    gid: group === undefined ? undefined : await accountNumber('group', group),
    umask: number('socket.umask', umask, 0, 0o777),
  }
}

function checkTls(tls: TlsFiles): void {
  checkOptions('serve’s option tls', tls, ['cert', 'key', 'ca'])
  if (typeof tls.cert !== 'string' || typeof tls.key !== 'string') throw wrong('tls', 'the paths of cert and key')
  if (tls.ca !== undefined && typeof tls.ca !== 'string') throw wrong('tls.ca', 'a path')
}

function checkLimits(limits: Partial<Limits>): Limits {
  checkOptions('serve’s option limits', limits, Object.keys(DEFAULT_LIMITS))
  const { frameBytes, requests, snapshots } = { ...DEFAULT_LIMITS, ...limits }
  return {
    frameBytes: number('limits.frameBytes', frameBytes, LEAST_FRAME_BYTES, DEFAULT_LIMITS.frameBytes),
    requests: number('limits.requests', requests, 1, 65_536),
    snapshots: number('limits.snapshots', snapshots, 1, 2 ** 24),
  }
}

function checkLog(log: LogOptions | undefined): LogOptions | undefined {
  if (log === undefined) return undefined
  checkOptions('serve’s option log', log, ['level', 'destination'])
  if (log.level !== undefined && !LOG_LEVELS.includes(log.level))
    throw wrong('log.level', `one of ${LOG_LEVELS.join(', ')}`)
  return log
}

function number(name: string, value: unknown, least: number, most: number): number {
  if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value)
  throw wrong(name, `a whole number from ${least} to ${most}`)
}

function wrong(name: string, expected: string): PerdureError {
  return new PerdureError('PERDURE_ARGUMENT', `The option "${name}" of serve must be ${expected}.`)
}

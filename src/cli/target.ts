import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Args } from '@oclif/core'
import { type Database, type OpenOptions, open, PerdureError, type PersistentMap, type Storage } from '../index.js'
import { openSource } from '../open-source.js'
import type { ClientStorage, ClientStorageOptions } from '../storages/index.js'
import { integerFlag, stringFlag } from './setting-flags.js'

/** The database a command works on, in place of `--file` or `--url`. */
export const databaseArg = Args.string({
  ignoreStdin: true,
  name: 'database',
  description: 'Path of a database file, or address of a server.',
})

/** Flags that say which database a command works on. */
export const targetFlags = {
  file: stringFlag('file', 'f'),
  url: stringFlag('url', 'u'),
  host: stringFlag('host'),
  port: integerFlag('port', 'p'),
  socket: stringFlag('socket'),
  user: stringFlag('user'),
  'password-file': stringFlag('passwordFile'),
  'tls-ca': stringFlag('tlsCa'),
  'tls-cert': stringFlag('tlsCert'),
  'tls-key': stringFlag('tlsKey'),
  'timeout-ms': integerFlag('timeoutMs'),
}

export interface TargetFlags {
  readonly file?: string | undefined
  readonly url?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly socket?: string | undefined
}

/** {@link TargetFlags}, and how to get in where it is a server. */
export interface AccessFlags extends TargetFlags {
  readonly user?: string | undefined
  readonly 'password-file'?: string | undefined
  readonly 'tls-ca'?: string | undefined
  readonly 'tls-cert'?: string | undefined
  readonly 'tls-key'?: string | undefined
  readonly 'timeout-ms'?: number | undefined
}

/** What is before `://` in an address. */
const ADDRESS = /^[a-z][a-z0-9+.-]*:(\/\/|@)/i

const DEFAULT_HOST = '127.0.0.1'
export const DEFAULT_PORT = 2972

/** Where a database is: a file, or a server. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'server'; readonly url: string }

/**
 * The database that is meant. What is more particular goes first: the argument, then a file, an address, a socket, a
 * host or port; and if nothing is said, the server at its usual place on this machine.
 */
export function chooseTarget(flags: TargetFlags, database?: string): Target {
  const { file, url, host, port, socket } = flags
  if (database !== undefined) return parseTarget(database)
  if (file !== undefined) return { kind: 'file', path: filePath(file) }
  if (url !== undefined) return parseTarget(url)
  if (socket !== undefined) return { kind: 'server', url: socketUrl(socketPath(socket)) }
  return { kind: 'server', url: `perdure://${bracketed(host ?? DEFAULT_HOST)}:${port ?? DEFAULT_PORT}` }
}

/**
 * The file that is meant, for commands that work on files alone.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if it is a server, or nothing is said
 */
export function chooseFile(flags: TargetFlags, database?: string): string {
  const target = chooseTarget(flags, database)
  if (target.kind === 'file') return target.path
  throw new PerdureError('PERDURE_ARGUMENT', 'This works on a file. Name it, or give --file.')
}

/** @throws PerdureError `PERDURE_ARGUMENT` for the address of a server, where only a file can be meant */
export function filePath(path: string): string {
  if (!ADDRESS.test(path)) return path
  throw new PerdureError('PERDURE_ARGUMENT', `${path} is the address of a server. Name a file.`)
}

function parseTarget(text: string): Target {
  return ADDRESS.test(text) ? { kind: 'server', url: text } : { kind: 'file', path: text }
}

/** The path of a socket, from whatever folder it is meant. An abstract one, `@name`, is no file. */
export function socketPath(socket: string): string {
  return socket.startsWith('@') ? socket : resolve(socket)
}

/** As servers say where they listen. */
function socketUrl(path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/')
  return path.startsWith('@') ? `perdure+unix:@${encoded.slice('%40'.length)}` : `perdure+unix://${encoded}`
}

/** A host as it stands in a URL. */
export function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/**
 * Opens the database that is meant, which must exist: neither a file nor a root object is created.
 *
 * @param database the argument, if the command has one
 * @throws PerdureError as `open()` does; `PERDURE_NOT_FOUND` for a file of TLS that is not there
 */
export async function openTarget(
  flags: AccessFlags,
  database?: string,
  options: OpenOptions = {},
): Promise<Database<PersistentMap>> {
  const target = chooseTarget(flags, database)
  const more = target.kind === 'file' ? { createIfMissing: false } : accessOptions(flags, target.url)
  const location = target.kind === 'file' ? target.path : target.url
  return (await open(location, { createRoot: false, ...more, ...options })) as unknown as Database<PersistentMap>
}

/**
 * Opens what is meant only to read records: it may hold states that nobody can decode here.
 *
 * @throws PerdureError as {@link openTarget}
 */
export async function openTargetStorage(flags: AccessFlags, database?: string): Promise<Storage> {
  const target = chooseTarget(flags, database)
  return target.kind === 'file' ? openSource(target.path) : openSource(target.url, accessOptions(flags, target.url))
}

/**
 * Connects to a server.
 *
 * @throws PerdureError as {@link openTarget}
 */
export async function connectTo(flags: AccessFlags, url: string): Promise<ClientStorage> {
  // Loaded only when it is needed: the module brings along every kind of storage.
  const { ClientStorage } = await import('../storages/index.js')
  return ClientStorage.connect(url, accessOptions(flags, url))
}

function accessOptions(flags: AccessFlags, url: string): ClientStorageOptions {
  const { user, 'password-file': passwordFile, 'timeout-ms': timeoutMs } = flags
  return {
    ...(user !== undefined && { user }),
    ...(passwordFile !== undefined && { passwordFile }),
    ...(timeoutMs !== undefined && { timeoutMs, connectTimeoutMs: timeoutMs }),
    // Certificates may be configured for the servers of some addresses and not be of use for this one.
    ...(url.startsWith('perdure+tls:') && { tls: tlsOptions(flags) }),
  }
}

function tlsOptions(flags: AccessFlags): NonNullable<ClientStorageOptions['tls']> {
  const { 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key } = flags
  return {
    ...(ca !== undefined && { ca: readPem(ca) }),
    ...(cert !== undefined && key !== undefined && { cert: readPem(cert), key: readPem(key) }),
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new PerdureError('PERDURE_NOT_FOUND', `${path} cannot be read: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
}

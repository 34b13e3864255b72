import { PerdureError } from '../../index.js'
import type { LogLevel, ServeOptions } from '../../server.js'
import { socketPath } from '../target.js'

/** The flags of `perdure db start` that are passed on. */
export interface StartFlags {
  readonly serializer?: string | undefined
  readonly storage?: string | undefined
  readonly durability?: string | undefined
  readonly index?: string | undefined
  readonly readonly: boolean
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly socket?: string | undefined
  readonly owner?: string | undefined
  readonly group?: string | undefined
  readonly umask?: string | undefined
  readonly 'tls-cert'?: string | undefined
  readonly 'tls-key'?: string | undefined
  readonly 'tls-ca'?: string | undefined
  readonly insecure: boolean
  readonly users?: string | undefined
  readonly 'allow-remote-stop': boolean
  readonly 'gc-bytes'?: number | undefined
  readonly 'gc-interval'?: string | undefined
  readonly 'gc-garbage-ratio'?: number | undefined
  readonly 'log-file'?: string | undefined
  readonly 'log-level'?: string | undefined
}

/** What `open()` is to do with the file. */
export function storageOptions(flags: StartFlags): Record<string, unknown> {
  const { serializer, storage, durability, index, readonly } = flags
  return defined({
    serializer,
    storage,
    durability,
    index,
    readonly: readonly || undefined,
    gcBytes: flags['gc-bytes'],
    gcInterval: flags['gc-interval'],
    gcGarbageRatio: flags['gc-garbage-ratio'],
  })
}

/**
 * What `serve()` is to do. A socket, also one that systemd passes, takes the place of the TCP address, unless that is
 * given as well.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` for a umask that is no octal number, or half of a pair of TLS files
 */
export function serveOptions(flags: StartFlags): ServeOptions {
  const { host, port, socket, owner, group, umask, insecure, users } = flags
  const tls = tlsFiles(flags)
  const tcp = defined({ host, port, tls: tls === undefined ? undefined : true })
  const activated = process.env['LISTEN_PID'] === String(process.pid)
  const wantsTcp = host !== undefined || port !== undefined || (socket === undefined && !activated)
  const listen = [...(socket === undefined ? [] : [{ path: socketPath(socket) }]), ...(wantsTcp ? [tcp] : [])]
  const level = (flags['log-level'] ?? 'info') as LogLevel
  return defined({
    listen: listen.length > 0 ? listen : undefined,
    socketActivation: activated || undefined,
    socket: defined({ owner, group, umask: umask === undefined ? undefined : parseUmask(umask) }),
    tls,
    insecure: insecure || undefined,
    users,
    allowRemoteStop: flags['allow-remote-stop'] || undefined,
    // Standard output is for people.
    log: { level, destination: flags['log-file'] ?? 2 },
    signals: true,
  }) as ServeOptions
}

function tlsFiles(flags: StartFlags): ServeOptions['tls'] {
  const { 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca } = flags
  if (cert === undefined && key === undefined && ca === undefined) return undefined
  if (cert !== undefined && key !== undefined) return { cert, key, ...(ca !== undefined && { ca }) }
  throw new PerdureError('PERDURE_ARGUMENT', 'TLS needs both --tls-cert and --tls-key.')
}

function parseUmask(text: string): number {
  if (/^0?o?[0-7]{1,4}$/.test(text)) return Number.parseInt(text.replace('o', ''), 8)
  throw new PerdureError('PERDURE_ARGUMENT', `The umask is an octal number, such as 077, not ${text}.`)
}

/** Options that are not given must not be there: some are not allowed beside others. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

import { readFileSync, realpathSync } from 'node:fs'
import { PerdureError } from '../../index.js'
import { chooseTarget, DEFAULT_PORT, type TargetFlags } from '../target.js'
import { type RunningDaemon, runningDaemons } from './run-files.js'

/** Flags that say which server is meant. */
export interface DaemonFlags extends TargetFlags {
  readonly 'pid-file'?: string | undefined
}

/**
 * The server that is meant, if it runs on this machine and belongs to this user: that of a pid file, of a database file,
 * or at an address; if nothing is said, the one there is.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if nothing is said and several servers run; `PERDURE_NOT_FOUND` for a pid
 *   file that is not there
 */
export function findDaemon(flags: DaemonFlags): RunningDaemon | undefined {
  const daemons = runningDaemons()
  const pidFile = flags['pid-file']
  if (pidFile !== undefined) {
    const pid = readPid(pidFile)
    return daemons.find((daemon) => daemon.pid === pid)
  }
  const { file, url, host, port, socket } = flags
  if (file !== undefined) {
    const path = withoutLinks(file)
    return daemons.find((daemon) => daemon.file === path)
  }
  if (url === undefined && host === undefined && port === undefined && socket === undefined) return only(daemons)
  const target = chooseTarget(flags)
  if (target.kind === 'file') return undefined
  const place = placeOf(target.url)
  return daemons.find(({ urls }) => urls.some((each) => placeOf(each) === place))
}

/** What is the same for all addresses of one socket: names of this machine mean the same, and TLS makes no difference. */
function placeOf(url: string): string {
  const [, host = '', port = DEFAULT_PORT] = /^perdure(?:\+tls)?:\/\/(\[.+\]|[^:/]+)(?::(\d+))?\/?$/i.exec(url) ?? []
  if (host === '') return url
  return `${/^(localhost|127\.0\.0\.1|\[::1\])$/i.test(host) ? 'here' : host}:${port}`
}

/**
 * {@link findDaemon}, if there must be one.
 *
 * @throws PerdureError `PERDURE_NOT_FOUND`, and as {@link findDaemon}
 */
export function requireDaemon(flags: DaemonFlags): RunningDaemon {
  const daemon = findDaemon(flags)
  if (daemon !== undefined) return daemon
  throw noSuchServer()
}

export function noSuchServer(): PerdureError {
  return new PerdureError('PERDURE_NOT_FOUND', 'No such server of yours runs on this machine.')
}

function only(daemons: readonly RunningDaemon[]): RunningDaemon | undefined {
  if (daemons.length < 2) return daemons[0]
  const list = daemons.map(({ file, urls, pid }) => `${file ?? 'temporary'} at ${urls.join(', ')} (pid ${pid})`)
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `Several servers run. Say which one is meant, with --file, --port, --socket or --pid-file: ${list.join('; ')}`,
  )
}

function readPid(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8').trim())
  } catch (cause) {
    throw new PerdureError('PERDURE_NOT_FOUND', `There is no pid file ${path}.`, { details: { path }, cause })
  }
}

function withoutLinks(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path // Whatever is not there is not served either.
  }
}

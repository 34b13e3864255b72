import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** A server of this user's that runs on this machine, as it has said itself when it was ready. */
export interface RunningDaemon {
  readonly pid: number
  /** Where it can be reached. */
  readonly urls: readonly string[]
  /** The database file, without symbolic links; undefined for a temporary database. */
  readonly file: string | undefined
  /** With which it was started: what stands behind `perdure db start`. */
  readonly args: readonly string[]
  /** Folder in which it was started. */
  readonly cwd: string
  /** In ISO 8601. */
  readonly since: string
}

/** Only its owner may write there: whoever can could have any process stopped in his place. */
function runDirectory(): string {
  const runtime = process.env['XDG_RUNTIME_DIR']
  const path = runtime === undefined ? join(tmpdir(), `perdure-${userInfo().uid}`) : join(runtime, 'perdure')
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

/** Tells `perdure db stop` and others of a server in this process, until {@link forget}. */
export function announce(daemon: RunningDaemon): void {
  const path = runFile(daemon.pid)
  writeFileSync(`${path}.new`, JSON.stringify(daemon), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

export function forget(pid: number): void {
  rmSync(runFile(pid), { force: true })
}

function runFile(pid: number): string {
  return join(runDirectory(), `${pid}.json`)
}

/** The servers that run. What servers that were killed have left behind is removed. */
export function runningDaemons(): RunningDaemon[] {
  const directory = runDirectory()
  const names = readdirSync(directory).filter((name) => name.endsWith('.json'))
  return names.map((name) => read(join(directory, name))).filter((daemon) => daemon !== undefined)
}

function read(path: string): RunningDaemon | undefined {
  try {
    const daemon = JSON.parse(readFileSync(path, 'utf8')) as RunningDaemon
    if (isAlive(daemon.pid)) return daemon
    rmSync(path, { force: true })
  } catch {
    // It ended, and took the file away, just now.
  }
  return undefined
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

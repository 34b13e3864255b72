import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { PerdureError } from '../../index.js'
import { fileError } from '../file-error.js'

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
  /** The settings in its environment, by the names of the variables. */
  readonly environment: Readonly<Record<string, string>>
  /** Where it logs to; undefined for standard error. */
  readonly logFile: string | undefined
  /** The file with its number, if there is one. */
  readonly pidFile: string | undefined
  /** In ISO 8601. */
  readonly since: string
}

/** As it is written: another process may have the same pid later. */
interface RunFile extends RunningDaemon {
  readonly startTime: string | undefined
}

/**
 * Where servers say that they run. Only its owner may write there: whoever else can could have any process stopped in
 * the owner's name.
 *
 * @throws PerdureError `PERDURE_PERMISSION` if others can, or it cannot be made; `PERDURE_NOT_FOUND`
 */
export function runDirectory(): string {
  const runtime = process.env['XDG_RUNTIME_DIR']
  const path = runtime ? join(runtime, 'perdure') : join(tmpdir(), `perdure-${userInfo().uid}`)
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw fileError(cause, path, `The folder ${path}, where servers say that they run, cannot be made`)
  }
  const { uid, mode } = lstatSync(path)
  // Where there are no users, as on Windows, folders of the user are his alone.
  if (process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0)) return path
  throw new PerdureError(
    'PERDURE_PERMISSION',
    `The folder ${path}, where servers say that they run, is not yours, or others may write there. Remove it, or set XDG_RUNTIME_DIR to a folder of your own.`,
    { details: { path } },
  )
}

/** Tells `perdure db stop` and others of a server in this process, until {@link forget}. */
export function announce(daemon: RunningDaemon): void {
  const path = runFile(daemon.pid)
  writeFileSync(`${path}.new`, JSON.stringify({ ...daemon, startTime: startTimeOf(daemon.pid) } satisfies RunFile), {
    mode: 0o600,
  })
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
    const { startTime, ...daemon } = JSON.parse(readFileSync(path, 'utf8')) as RunFile
    if (isAlive(daemon.pid) && startTimeOf(daemon.pid) === startTime) return daemon
    rmSync(path, { force: true })
  } catch {
    // It ended, and took the file away, just now.
  }
  return undefined
}

/** Whether a process goes on. One that has ended may still be there until its parent has asked how. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    const status = statusOf(pid)
    // Its threads may go on after its first one.
    return !(status?.[0] === 'Z' && Number(status[17]) <= 1)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process was started, in ticks since the machine was; undefined where there is no /proc. */
function startTimeOf(pid: number): string | undefined {
  return statusOf(pid)?.[19]
}

/** What Linux tells of a process behind its name, its state first; undefined where there is no /proc. See proc(5). */
function statusOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

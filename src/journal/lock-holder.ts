import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemCode } from '../core/errors.js'

/** The process behind a lock file, told so exactly that another one can judge whether it is still there. */
export interface LockHolder {
  readonly pid: number
  /** When the process was started, in clock ticks since the boot; only Linux tells. Another one has another. */
  readonly startTime?: string | undefined
  /** Differs after each boot; only Linux tells. */
  readonly bootId?: string | undefined
  /** Process ids mean the same only within one namespace: containers have their own. */
  readonly pidNamespace?: string | undefined
  readonly hostname: string
  /** Names this one lock among all that were ever taken. */
  readonly nonce: string
  /** When the lock was taken, in ISO 8601. */
  readonly since: string
}

/** Whether the process that wrote a lock file still runs; `unknown` if that cannot be told from here. */
export type HolderState = 'alive' | 'dead' | 'unknown'

/** Describes this process as the holder of a lock it has yet to take. */
export function describeSelf(): LockHolder {
  return {
    pid: process.pid,
    startTime: readProcess(process.pid)?.startTime,
    bootId: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: attempt(() => readlinkSync('/proc/self/ns/pid')),
    hostname: hostname(),
    nonce: newNonce(),
    since: new Date().toISOString(),
  }
}

/** Names a lock; used in names of files. */
export function newNonce(): string {
  return randomBytes(8).toString('hex')
}

/** Reads what {@link describeSelf} described. Undefined if the text is anything else, or not all of it. */
export function parseHolder(text: string): LockHolder | undefined {
  const holder = attempt(() => JSON.parse(text) as Partial<Record<keyof LockHolder, unknown>> | null)
  if (typeof holder !== 'object' || holder === null) return undefined
  const { pid, startTime, bootId, pidNamespace, hostname, nonce, since } = holder
  if (!Number.isSafeInteger(pid) || (pid as number) < 1) return undefined
  if (typeof nonce !== 'string' || !/^[0-9a-f]{16}$/.test(nonce)) return undefined
  if (typeof hostname !== 'string' || typeof since !== 'string') return undefined
  for (const text of [startTime, bootId, pidNamespace])
    if (!['string', 'undefined'].includes(typeof text)) return undefined
  return holder as LockHolder
}

/**
 * Judges from what the kernel says now, and never from how long ago something was: a process that is stopped, or
 * in a debugger, keeps its lock.
 */
export function judgeHolder(holder: LockHolder, self: LockHolder): HolderState {
  if (holder.hostname !== self.hostname) return 'unknown'
  if (holder.bootId !== self.bootId) {
    return holder.bootId !== undefined && self.bootId !== undefined ? 'dead' : 'unknown'
  }
  if (holder.pidNamespace !== self.pidNamespace) return 'unknown'
  if (!processExists(holder.pid)) return 'dead'
  const found = readProcess(holder.pid)
  if (found === undefined || holder.startTime === undefined) return 'unknown'
  return found.startTime === holder.startTime && !found.ended ? 'alive' : 'dead'
}

const IDENTITY = ['pid', 'startTime', 'bootId', 'pidNamespace', 'hostname'] as const

/** Whether two locks are held by one process. */
export function isSameProcess(a: LockHolder, b: LockHolder): boolean {
  return IDENTITY.every((name) => a[name] === b[name])
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

/**
 * What Linux tells of a process in /proc/<pid>/stat (see proc_pid_stat(5)). One that was killed, but not yet waited
 * for by its parent, is a zombie; it has ended once no thread but the first is left.
 */
function readProcess(pid: number): { startTime: string; ended: boolean } | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // The second field is the program's name in parentheses, which may itself contain any character.
  const [state, ...fields] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? []
  const [threads, startTime] = [fields[16], fields[18]]
  if (startTime === undefined) return undefined
  return { startTime, ended: state === 'X' || (state === 'Z' && Number(threads) <= 1) }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}

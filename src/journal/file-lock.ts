import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type ErrorCode, PerdureError, systemCode } from '../core/errors.js'
import { describeSelf, isSameProcess, judgeHolder, type LockHolder, newNonce, parseHolder } from './lock-holder.js'

/*
 * An exclusive lock without native code, for a file at P.
 *
 *   P.lock                      who holds it (a LockHolder in JSON)
 *   P.lock.<nonce>.new          the same before it is in its place
 *   P.lock.<nonce>.claim        a lock of its own: who may replace the P.lock that has this nonce
 *
 * Taking. P.lock is created with its content: a temporary file is written, synced and linked to the name P.lock,
 * which fails if the name is taken.
 *
 * Taking over, when the holder is dead. Two processes that both find the same dead holder must not both replace
 * its lock, and the slower one must not replace the lock of the faster one. So a lock L with nonce n is replaced
 * only by who holds the claim L.<n>.claim, a lock that is taken by these same rules, and who has then read L again
 * and still found n. It puts its own temporary file in the place of L by one rename, and gives up the claim.
 *
 * Proof that there is one winner. Let L have nonce n and a dead holder. L changes only in three ways: its holder
 * removes it, but it is dead; somebody links a new L, but the name is taken; the holder of the claim replaces it.
 * The claim has at most one living holder, by induction: claims are locks, and a claim on a claim is only needed
 * where a process died while it held one, so the chain ends. Hence between the holder's second reading of L and
 * its rename nobody else changes L. Afterwards L has another nonce, and as nonces are never used twice, whoever
 * gets the same claim later reads another one than n and starts again from the beginning.
 *
 * While a process holds P.lock with nonce m, every claim on another nonce has become meaningless by the same
 * argument, and every temporary file is one that cannot be linked. So it may sweep them all away; a process whose
 * temporary file vanishes starts again.
 *
 * File systems that have no links: P.lock is created exclusively and then written. A process that dies between
 * the two leaves a file nobody can read, and one that is alive between the two looks just the same. So an
 * unreadable lock is never taken over; the error says which file to delete.
 */

/** How often to start again when others take and release the lock in between, before giving up. */
const MAX_ATTEMPTS = 100

/** A lock file is a few hundred bytes; what is longer was not written here. */
const MAX_LOCK_SIZE = 4096

const LINKS_UNSUPPORTED = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

export interface FileLockOptions {
  /** Stands in for link(2), so that tests can act as a file system without links. */
  readonly link?: (existing: string, name: string) => void
}

/** An exclusive lock that this process holds. */
export class FileLock {
  /** The lock file. */
  readonly path: string
  readonly #nonce: string
  #released = false

  constructor(path: string, nonce: string) {
    this.path = path
    this.#nonce = nonce
    if (heldLocks.size === 0) process.on('exit', releaseAll)
    heldLocks.add(this)
  }

  /**
   * Removes the lock file. May be called more than once.
   *
   * @throws PerdureError `PERDURE_PERMISSION`, `PERDURE_IO`
   */
  release(): void {
    if (this.#released) return
    this.#released = true
    heldLocks.delete(this)
    if (heldLocks.size === 0) process.off('exit', releaseAll)
    translateErrors(this.path, () => removeIfOurs(this.path, this.#nonce))
  }
}

const heldLocks = new Set<FileLock>()

function releaseAll(): void {
  for (const lock of heldLocks) {
    try {
      lock.release()
    } catch {
      // Nobody is left to tell, and a lock of a dead process does not block.
    }
  }
}

/**
 * Takes the exclusive lock of the file at `path`, which need not exist. A lock left by a process that has died is
 * taken over. It is released when the process, or the worker thread that took it, exits in an orderly way.
 *
 * @throws PerdureError `PERDURE_LOCKED` with `details.pid` if a process holds the lock, or may hold it;
 *   `PERDURE_NOT_FOUND` if there is no such folder, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`
 */
export function acquireFileLock(path: string, { link = linkSync }: FileLockOptions = {}): FileLock {
  return translateErrors(path, () => {
    const subject = canonicalPath(path)
    const lockPath = `${subject}.lock`
    const self = describeSelf()
    new Acquisition(subject, link).take(lockPath, self)
    const lock = new FileLock(lockPath, self.nonce)
    sweep(lockPath)
    return lock
  })
}

/**
 * Makes sure that nobody has the file at `path` open for writing now, without taking its lock: that would write.
 *
 * @throws PerdureError `PERDURE_LOCKED` as {@link acquireFileLock} does; `PERDURE_NOT_FOUND`, `PERDURE_PERMISSION`
 */
export function assertNotLocked(path: string): void {
  translateErrors(path, () => {
    const subject = canonicalPath(path)
    const lockPath = `${subject}.lock`
    const found = readHolder(lockPath)
    if (found === 'none') return
    if (found === 'unreadable') throw unreadableError(subject, lockPath)
    throwUnlessDead(subject, lockPath, found, describeSelf())
  })
}

function throwUnlessDead(subject: string, lockPath: string, found: LockHolder, self: LockHolder): void {
  const state = judgeHolder(found, self)
  if (state !== 'dead') throw lockedError(subject, lockPath, found, state === 'alive', isSameProcess(found, self))
}

class Acquisition {
  readonly #subject: string
  readonly #link: (existing: string, name: string) => void

  constructor(subject: string, link: (existing: string, name: string) => void) {
    this.#subject = subject
    this.#link = link
  }

  /** Returns once `lockPath` is ours; throws `PERDURE_LOCKED` if it is somebody else's. */
  take(lockPath: string, self: LockHolder): void {
    const temporary = `${lockPath}.${self.nonce}.new`
    try {
      for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
        writeHolder(temporary, self, 'w')
        if (this.#create(lockPath, temporary, self)) return
        const found = readHolder(lockPath)
        if (found === 'none') continue
        if (found === 'unreadable') throw unreadableError(this.#subject, lockPath)
        throwUnlessDead(this.#subject, lockPath, found, self)
        if (this.#replace(lockPath, temporary, found.nonce, self)) return
      }
    } finally {
      rmSync(temporary, { force: true })
    }
    throw new PerdureError(
      'PERDURE_LOCKED',
      `${this.#subject} is opened and closed by others all the time. Try again.`,
      {
        details: { path: this.#subject },
      },
    )
  }

  /** Whether the lock was free and is now ours. */
  #create(lockPath: string, temporary: string, self: LockHolder): boolean {
    try {
      this.#link(temporary, lockPath)
      return true
    } catch (error) {
      const code = systemCode(error) ?? ''
      if (code === 'EEXIST' || code === 'ENOENT') return false
      if (!LINKS_UNSUPPORTED.includes(code)) throw error
    }
    try {
      writeHolder(lockPath, self, 'wx')
      return true
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Takes the place of a dead holder, unless its lock is no longer there. */
  #replace(lockPath: string, temporary: string, staleNonce: string, self: LockHolder): boolean {
    const claim = `${lockPath}.${staleNonce}.claim`
    const claimant = { ...self, nonce: newNonce() }
    this.take(claim, claimant)
    try {
      const found = readHolder(lockPath)
      if (typeof found === 'string' || found.nonce !== staleNonce) return false
      renameSync(temporary, lockPath)
      return true
    } finally {
      removeIfOurs(claim, claimant.nonce)
    }
  }
}

/** Two names of one file must have one lock, so symbolic links are followed. */
function canonicalPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    return join(realpathSync(dirname(resolve(path))), basename(path))
  }
}

/** Synced, or a power cut could leave a lock that is empty and therefore never taken over. */
function writeHolder(path: string, holder: LockHolder, flags: 'w' | 'wx'): void {
  const descriptor = openSync(path, flags)
  try {
    writeSync(descriptor, `${JSON.stringify(holder)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function readHolder(path: string): LockHolder | 'none' | 'unreadable' {
  try {
    const text = readFileSync(path, 'utf8')
    return (text.length <= MAX_LOCK_SIZE && parseHolder(text)) || 'unreadable'
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'none'
    throw error
  }
}

function removeIfOurs(path: string, nonce: string): void {
  const found = readHolder(path)
  if (typeof found !== 'string' && found.nonce === nonce) rmSync(path, { force: true })
}

/** Removes what processes that died have left beside a lock that is ours. */
function sweep(lockPath: string): void {
  const folder = dirname(lockPath)
  for (const name of readdirSync(folder)) {
    const rest = name.startsWith(`${basename(lockPath)}.`) ? name.slice(basename(lockPath).length) : ''
    if (/^(\.[0-9a-f]{16}\.(new|claim))+$/.test(rest)) rmSync(join(folder, name), { force: true })
  }
}

function lockedError(
  subject: string,
  lockPath: string,
  { pid, hostname, since }: LockHolder,
  alive: boolean,
  self: boolean,
): PerdureError {
  const details = { path: subject, lockPath, pid, since, hostname }
  const byHand = `If you are sure that it no longer runs, delete ${lockPath}.`
  if (self) {
    const message = `${subject} is already open in this process (${pid}), since ${since}. Share that database instead of opening the file again.`
    return new PerdureError('PERDURE_LOCKED', message, { details })
  }
  const message = alive
    ? `${subject} is open in process ${pid}, since ${since}. Close it there, or open it readonly here.`
    : `${subject} is locked by process ${pid} of host ${hostname}, since ${since}, and from here one cannot tell whether that process still runs. ${byHand}`
  return new PerdureError('PERDURE_LOCKED', message, { details })
}

function unreadableError(subject: string, lockPath: string): PerdureError {
  const message = `${subject} is locked by ${lockPath}, which does not say by whom: a process is just creating it, or died while it did. Try again; if you are sure that no process uses ${subject}, delete the lock file.`
  return new PerdureError('PERDURE_LOCKED', message, { details: { path: subject, lockPath } })
}

const SYSTEM_ERRORS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['PERDURE_NOT_FOUND', 'its folder does not exist'],
  ENOTDIR: ['PERDURE_NOT_FOUND', 'its folder is a file'],
  EACCES: ['PERDURE_PERMISSION', 'this user may not write in its folder'],
  EPERM: ['PERDURE_PERMISSION', 'this user may not write in its folder'],
  EROFS: ['PERDURE_PERMISSION', 'the file system is mounted readonly'],
  ENOSPC: ['PERDURE_NO_SPACE', 'the disk is full'],
  EDQUOT: ['PERDURE_NO_SPACE', 'the quota is used up'],
}

function translateErrors<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof PerdureError) throw error
    const [code, reason] = SYSTEM_ERRORS[systemCode(error) ?? ''] ?? ['PERDURE_IO', String(error)]
    throw new PerdureError(code, `Cannot take or release the lock of ${path}: ${reason}.`, {
      details: { path },
      cause: error,
    })
  }
}

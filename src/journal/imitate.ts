import type * as nodeFs from 'node:fs'
import { systemCode } from '../core/errors.js'

const PERMISSIONS = 0o777
const WITHOUT_GROUP = 0o707

/** After these, the call can be made again. */
const INTERRUPTED: ReadonlySet<string | undefined> = new Set(['EINTR', 'EAGAIN'])

/** Permissions of a new file, until it has been given others: what it is to hold may be secret. */
export const OWNER_ONLY = 0o600

/** Of whom a file is, and who may use it. */
export interface Likeness {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** What of node:fs is used here. */
export type ImitationBinding = Pick<typeof nodeFs, 'fchmodSync' | 'fchownSync' | 'fstatSync'>

/**
 * Gives a new file the owner, the group and the permissions of another one, as far as the process may: only root can give
 * files away. A file that stays in a group of its own gives that no permissions.
 *
 * @throws what the system throws when it is interrupted: to be called again then
 */
export function imitate(fs: ImitationBinding, fd: number, like: Likeness): void {
  const own = fs.fstatSync(fd)
  if (own.uid !== like.uid) may(() => fs.fchownSync(fd, like.uid, own.gid))
  const isOfGroup = own.gid === like.gid || may(() => fs.fchownSync(fd, -1, like.gid))
  const permissions = like.mode & (isOfGroup ? PERMISSIONS : WITHOUT_GROUP)
  if ((own.mode & PERMISSIONS) !== permissions) may(() => fs.fchmodSync(fd, permissions))
}

/** Whether the system allows it. Some file systems know of no permissions. */
function may(change: () => void): boolean {
  try {
    change()
    return true
  } catch (error) {
    if (INTERRUPTED.has(systemCode(error))) throw error
    return false
  }
}

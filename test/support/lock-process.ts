import { packError } from '../../src/core/errors.js'
import { acquireFileLock, type FileLock } from '../../src/journal/file-lock.js'

/*
 * A process that takes and releases locks: as told by its parent's messages, or, given a path as argument, once
 * and for all, which it tells by printing its pid.
 */

export interface LockOrder {
  /** Take the lock of the file at this path, or release the lock if there is none. */
  readonly take?: string
  /** When to, in milliseconds since the epoch, so that several processes try at the same time. */
  readonly at?: number
}

let lock: FileLock | undefined

process.on('message', ({ take, at = 0 }: LockOrder) => {
  try {
    if (take === undefined) lock?.release()
    while (Date.now() < at);
    if (take !== undefined) lock = acquireFileLock(take)
    process.send?.({})
  } catch (error) {
    process.send?.({ error: packError(error) })
  }
})

const [, , path] = process.argv
if (path !== undefined) {
  lock = acquireFileLock(path)
  console.log(process.pid)
  setInterval(() => {}, 1000)
}

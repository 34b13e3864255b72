import { readFileSync, readlinkSync } from 'node:fs'
import { PerdureError } from '../../core/errors.js'

/** The first file descriptor that systemd passes. */
const FIRST_FD = 3

/**
 * The listening sockets that systemd has passed to this process (sd_listen_fds(3)): none if it has passed none, or passed
 * them to another process. The variables that say so are taken out of the environment, since they are not for children.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if the variables make no sense
 */
export function activatedSockets(environment: NodeJS.ProcessEnv = process.env): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = environment
  if (pid === undefined || Number(pid) !== process.pid) return []
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name]
  if (count === undefined || !/^[1-9]\d{0,3}$/.test(count)) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `LISTEN_FDS is ${count}: socket activation passes at least one socket. Look at the .socket unit.`,
    )
  }
  return Array.from({ length: Number(count) }, (_, i) => FIRST_FD + i)
}

/**
 * The path of an inherited Unix socket, or its abstract name with `@` before it, as Linux tells it: Node does not know
 * it. `descriptor` and its number where there is nothing to be learned.
 */
export function inheritedPath(fd: number): string {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
      const [, , , , , , number, path] = line.split(/ +/)
      if (number === inode && path !== undefined) return path
    }
  } catch {
    // There is no /proc, or it shows nothing.
  }
  return `descriptor ${fd}`
}

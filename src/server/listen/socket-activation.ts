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

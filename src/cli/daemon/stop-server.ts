import { setTimeout as wait } from 'node:timers/promises'
import { PerdureError } from '../../index.js'
import { isAlive, type RunningDaemon } from './run-files.js'

/** How often to look whether a process is still there, in ms: nothing tells when a process ends that is no child. */
const LOOK_MS = 20

/**
 * Asks a server to finish what it is doing and to end, and waits until it has.
 *
 * @param timeoutMs how long to wait, in ms
 * @throws PerdureError `PERDURE_TIMEOUT` if it is still there then; `PERDURE_PERMISSION` if it is another user's
 */
export async function stopServer({ pid, urls }: RunningDaemon, timeoutMs: number): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return
    throw new PerdureError('PERDURE_PERMISSION', `Process ${pid} cannot be stopped by you.`, {
      details: { pid },
      cause,
    })
  }
  const deadline = Date.now() + timeoutMs
  while (isAlive(pid)) {
    if (Date.now() > deadline) {
      throw new PerdureError(
        'PERDURE_TIMEOUT',
        `The server at ${urls.join(', ')} (pid ${pid}) has not ended within ${timeoutMs} ms; it may be finishing a checkpoint.`,
        { details: { pid, timeoutMs } },
      )
    }
    await wait(LOOK_MS)
  }
}

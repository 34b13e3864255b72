import { ExitError } from '@oclif/core/errors'
import { EXIT } from './exit-codes.js'

let controller: AbortController | undefined

/** What asks a process to end: Ctrl-C, `kill`, and a terminal that is closed. */
const REQUESTS = [
  ['SIGINT', EXIT.interrupted],
  ['SIGTERM', EXIT.terminated],
  ['SIGHUP', EXIT.hungUp],
] as const

/**
 * A signal that is aborted when the process is asked to end, so that long work can clean up after itself. Asked a second
 * time, the process ends at once.
 */
export function interruptSignal(): AbortSignal {
  if (controller === undefined) {
    const created = new AbortController()
    controller = created
    for (const [name, code] of REQUESTS) process.once(name, () => created.abort(new ExitError(code)))
  }
  return controller.signal
}

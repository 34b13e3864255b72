import { ExitError } from '@oclif/core/errors'
import { EXIT } from './exit-codes.js'

let controller: AbortController | undefined

/**
 * A signal that is aborted by Ctrl-C, so that long work can clean up after itself. A second Ctrl-C ends the process at
 * once.
 */
export function interruptSignal(): AbortSignal {
  if (controller === undefined) {
    const created = new AbortController()
    controller = created
    process.once('SIGINT', () => created.abort(new ExitError(EXIT.interrupted)))
  }
  return controller.signal
}

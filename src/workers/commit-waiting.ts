import { PerdureError, unpackError } from '../core/errors.js'
import type { CommitResult } from '../core/storage.js'
import type { CommitOutcome } from './messages.js'

/** Somebody who waits for a thread that writes. */
export interface Waiting<T> {
  readonly resolve: (result: T) => void
  readonly reject: (error: PerdureError) => void
}

/** Tells who has committed what became of it. */
export function settleCommit({ resolve, reject }: Waiting<CommitResult>, outcome: CommitOutcome): void {
  if (outcome.error === undefined) {
    resolve(outcome)
    return
  }
  const error = unpackError(outcome.error)
  if (outcome.cause !== undefined) error.cause = unpackError(outcome.cause)
  reject(error)
}

export function threadLost(location: string): PerdureError {
  return new PerdureError(
    'PERDURE_THREAD',
    `The thread that writes ${location} has ended unexpectedly. What was committed is safe; whether a commit under way was stored is not known. Close the storage and open it again.`,
    { details: { path: location } },
  )
}

export function closedByOwner(location: string): PerdureError {
  return new PerdureError('PERDURE_CLOSED', `${location} has been closed.`, { details: { path: location } })
}

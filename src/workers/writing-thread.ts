import type { Worker } from 'node:worker_threads'
import { type PackedError, PerdureError, unpackError } from '../core/errors.js'
import { threadLost } from './commit-waiting.js'

/** What a thread that writes a database tells the one that has started it. */
export type WritingThreadEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: PackedError }
  | { readonly type: 'closed'; readonly error?: PackedError }

/** Whoever waits for answers of such a thread. */
interface Waiting {
  /** Rejects everything that waits, and refuses everything from now on. */
  fail(error: PerdureError): void
  /** As {@link fail}, because the database has been closed. */
  disconnect(): void
}

/**
 * Waits until a thread that was just started has opened its database.
 *
 * @throws PerdureError why it could not; `PERDURE_THREAD`
 */
export function whenReady<Event extends WritingThreadEvent>(
  worker: Worker,
  path: string,
): Promise<Extract<Event, { type: 'ready' }>> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(threadLost(path))
    const onError = (cause: unknown) => reject(Object.assign(threadLost(path), { cause }))
    worker.once('exit', onExit)
    worker.once('error', onError)
    worker.once('message', (event: WritingThreadEvent) => {
      worker.off('exit', onExit)
      worker.off('error', onError)
      if (event.type === 'ready') resolve(event as Extract<Event, { type: 'ready' }>)
      else if (event.type === 'failed') reject(unpackError(event.error))
      else reject(new PerdureError('PERDURE_THREAD', `Unexpected message while opening ${path}.`))
    })
  })
}

/** Waits for the end of a thread that writes, and tells of it those who wait for answers. */
export class ThreadEnd {
  readonly #worker: Worker
  readonly #ended: Promise<void>
  #closeError: PerdureError | undefined

  /** The thread does not keep the process alive from now on. */
  constructor(worker: Worker, waiting: Waiting, path: string) {
    const fail = (cause: unknown) => {
      const error = threadLost(path)
      if (cause !== undefined) error.cause = cause
      waiting.fail(error)
    }
    this.#worker = worker
    this.#ended = new Promise((resolve) => {
      worker.on('message', (event: WritingThreadEvent) => {
        if (event.type !== 'closed') return
        if (event.error !== undefined) this.#closeError = unpackError(event.error)
        waiting.disconnect()
      })
      worker.on('error', fail)
      worker.on('exit', () => {
        fail(undefined)
        resolve()
      })
    })
    worker.unref()
  }

  /**
   * Waits until the thread has ended, as it has been asked to by `ask`.
   *
   * @throws PerdureError if the database could not be closed in good order
   */
  async after(ask: () => void): Promise<void> {
    this.#worker.ref()
    ask()
    await this.#ended
    if (this.#closeError !== undefined) throw this.#closeError
  }
}

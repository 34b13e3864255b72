import { availableParallelism } from 'node:os'
import type { Piscina } from 'piscina'
import { type PackedError, PerdureError, unpackError } from '../core/errors.js'

/** What every task answers: errors as data, because a structured clone loses their class and code. */
export type TaskResult<T> = { readonly value: T } | { readonly error: PackedError }

/** The threads for bulk work. They are started when there is some, and end by themselves when there is none. */
export class WorkerPool {
  #piscina: Promise<Piscina> | undefined
  #closed = false
  readonly #entry: URL

  /** How many tasks it makes sense to have under way. */
  readonly size = availableParallelism()

  /** @param entry the module whose exported functions are the tasks */
  constructor(entry: URL = new URL('./pool-tasks.js', import.meta.url)) {
    this.#entry = entry
  }

  /**
   * Runs one exported function of the entry in some thread.
   *
   * @param transferList what is handed over to the thread instead of copied
   * @throws PerdureError what the task has thrown; `PERDURE_THREAD` if its thread has died; `PERDURE_CLOSED`
   */
  async run<Task, T>(name: string, task: Task, transferList?: ArrayBuffer[]): Promise<T> {
    if (this.#closed) throw closedError()
    this.#piscina ??= this.#start()
    const result = await this.#answer<T>(await this.#piscina, name, task, transferList)
    if ('error' in result) throw unpackError(result.error)
    return result.value
  }

  async #start(): Promise<Piscina> {
    // Loaded only when it is needed: most processes never need it.
    const { Piscina } = await import('piscina')
    const piscina = new Piscina({
      filename: this.#entry.href,
      minThreads: 0,
      maxThreads: this.size,
      idleTimeout: 1000,
    })
    // What a thread throws between two tasks concerns nobody; without a listener it would end the process.
    piscina.on('error', () => {})
    return piscina
  }

  async #answer<T>(
    piscina: Piscina,
    name: string,
    task: unknown,
    transferList: ArrayBuffer[] | undefined,
  ): Promise<TaskResult<T>> {
    try {
      const options = transferList === undefined ? { name } : { name, transferList }
      return (await piscina.run(task, options)) as TaskResult<T>
    } catch (cause) {
      if (this.#closed) throw closedError()
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new PerdureError('PERDURE_THREAD', `A worker thread has died: ${reason}`, { cause })
    }
  }

  /** Ends all threads. Tasks under way are rejected. */
  async close(): Promise<void> {
    this.#closed = true
    const piscina = await this.#piscina
    await piscina?.destroy()
    this.#piscina = undefined
  }
}

function closedError(): PerdureError {
  return new PerdureError('PERDURE_CLOSED', 'The storage has been closed, and the work of its threads given up.')
}

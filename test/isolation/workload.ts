import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Database } from '../../src/core/database.js'
import type { Storage } from '../../src/core/storage.js'
import { open } from '../../src/open.js'
import { Client, type ClientOptions } from './client.js'
import type { Clock } from './clock.js'
import type { History, Transaction } from './history.js'
import { type AppendList, createLists, type Lists, listClasses, listCount, read } from './lists.js'
import { SharedClock } from './shared-clock.js'

export interface WorkloadOptions extends ClientOptions {
  /** In this thread, and in each of the others. */
  readonly clients: number
  /** Application threads besides this one. */
  readonly threads: number
}

/** What an application thread of a workload needs. */
export interface WorkloadTask {
  readonly handle: object
  readonly clock: SharedArrayBuffer
  readonly clients: readonly number[]
  readonly options: ClientOptions
}

/**
 * Runs random transactions on a storage and records what they saw. What they do follows from the seed; how threads
 * interleave does not. In one thread, on a storage without I/O, the same seed gives the same history.
 */
export async function recordHistory(storage: Storage, options: WorkloadOptions): Promise<History> {
  const { seed, transactions, isolation, clients, threads } = options
  await using database = await open<Record<string, AppendList>>(storage, { classes: listClasses })
  await createLists(database, listCount(transactions))
  const clock = new SharedClock()
  const workers = Array.from({ length: threads }, (_, i) => {
    const numbers = Array.from({ length: clients }, (_, j) => (i + 1) * clients + j)
    return startWorker(database, { clock: clock.memory, clients: numbers, options: { seed, transactions, isolation } })
  })
  const histories = await Promise.all([
    ...workers,
    ...Array.from({ length: clients }, (_, i) => new Client(database, clock, options, i).run()),
  ])
  return [...histories.flat(), await readAll(database, clock, listCount(transactions))]
}

async function startWorker(
  database: { share: Database['share'] },
  task: Omit<WorkloadTask, 'handle'>,
): Promise<Transaction[]> {
  const { handle, transferList } = database.share()
  const worker = new Worker(new URL('./workload-thread.js', import.meta.url), {
    workerData: { ...task, handle } satisfies WorkloadTask,
    transferList: [...transferList],
  })
  const [history] = (await once(worker, 'message')) as [Transaction[]]
  return history
}

/** The transaction that comes last, and sees all. */
export async function readAll(database: Database<Lists>, clock: Clock, count: number): Promise<Transaction> {
  const began = clock.tick()
  const operations = await database.view((root) =>
    Array.from({ length: count }, (_, i) => ({ kind: 'read' as const, list: `x${i}`, values: read(root, `x${i}`) })),
  )
  return { name: 'last', operations, outcome: 'committed', began, ended: clock.tick() }
}

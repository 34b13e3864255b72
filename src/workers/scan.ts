import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Tid } from '../core/oid.js'
import type { RecordBatch } from '../core/storage.js'
import { PAGE_ENTRIES } from '../journal/oid-index.js'
import type { JournalView, SharedFile } from '../journal/shared-journal.js'
import { eachRange, type TaskRunner } from './each-range.js'
import { type LocateTask, type ReadTask, STRETCH_BYTES } from './scan-task.js'

/** Pages of the index in one task of the first step: 65,536 objects, 8 KiB of the checkpoint each. */
const RANGE_PAGES = 64

/** Tasks begun ahead of the consumer, besides one for each thread. */
const TASKS_AHEAD = 2

/** What is to be scanned. */
export interface ScanSubject {
  readonly view: JournalView
  readonly tid: Tid
  /** Throws once the snapshot has been released or the storage closed. */
  assertReadable(): void
}

/**
 * Every object's version as of a transaction, without its state. Two steps, both by tasks of a pool: the first takes
 * the places of all newest versions from the index, the second reads them as they lie in the journal. So the file is
 * read forward and once, however often objects were changed and in whatever order.
 *
 * Takes 8 bytes for each object until it has been read, and a few batches for each thread.
 *
 * @throws CorruptionError, PerdureError `PERDURE_DECODE`, `PERDURE_IO`, `PERDURE_CLOSED`, `PERDURE_THREAD`
 */
export async function* scanJournal(pool: TaskRunner, subject: ScanSubject): AsyncGenerator<RecordBatch, void> {
  const read = (task: ReadTask) => pool.run<ReadTask, RecordBatch>('readRecords', task)
  for await (const batch of readStretches(pool, subject, read)) if (batch.oids.length > 0) yield batch
}

/**
 * As {@link scanJournal}, with another second step.
 *
 * @param pool has the task `locateRecords`
 * @param read gives a stretch of the journal to some thread
 */
export async function* readStretches<T>(
  pool: TaskRunner,
  subject: ScanSubject,
  read: (task: ReadTask) => Promise<T>,
): AsyncGenerator<T, void> {
  subject.assertReadable()
  const scan = new JournalScan(pool, subject, read)
  try {
    await scan.locate()
    for (let result = await scan.next(); result !== undefined; result = await scan.next()) {
      subject.assertReadable()
      yield result
      // Threads that are faster than the consumer would otherwise let it do nothing else.
      await nextTurn()
      subject.assertReadable()
    }
  } catch (error) {
    // What has been closed explains what else may have gone wrong.
    subject.assertReadable()
    throw error
  } finally {
    await scan.end()
  }
}

class JournalScan<T> {
  readonly #pool: TaskRunner
  readonly #subject: ScanSubject
  readonly #read: (task: ReadTask) => Promise<T>
  readonly #end: number
  readonly #file: SharedFile
  /** What has not been read yet: offsets, ascending, of each range of oids. */
  #lists: Float64Array[] = []
  /** Tasks under way, in the order of the journal. */
  readonly #running: Promise<T>[] = []

  constructor(pool: TaskRunner, subject: ScanSubject, read: (task: ReadTask) => Promise<T>) {
    this.#pool = pool
    this.#subject = subject
    this.#read = read
    this.#end = subject.view.state.get('end')
    const { index: _index, changes: _changes, state: _state, ...file } = subject.view.borrowed
    this.#file = file
  }

  async locate(): Promise<void> {
    const { state, index, borrowed: shared } = this.#subject.view
    const pages = Math.min(index.pages, Math.ceil(state.get('nextOid') / PAGE_ENTRIES))
    await eachRange(this.#pool, { begin: 0, end: pages, size: RANGE_PAGES }, undefined, async (from, to) => {
      const task: LocateTask = { shared, from, to }
      const offsets = await this.#retaining(() => this.#pool.run<LocateTask, Float64Array>('locateRecords', task))
      if (offsets.length > 0) this.#lists.push(offsets)
    })
  }

  /** Undefined when all have been read. */
  async next(): Promise<T | undefined> {
    while (this.#running.length < this.#pool.size + TASKS_AHEAD && this.#lists.length > 0) {
      const { tid } = this.#subject
      const lists = this.#takeSpan()
      const task = { file: this.#file, tid, end: this.#end, lists }
      const result = this.#retaining(() => this.#read(task))
      // Whoever waits for it gets the error; if nobody does any more, nobody minds.
      result.catch(() => {})
      this.#running.push(result)
    }
    return this.#running.shift()
  }

  /** The first of what has not been read, as far as it lies in one stretch of the journal. */
  #takeSpan(): Float64Array[] {
    let begin = Number.POSITIVE_INFINITY
    for (const list of this.#lists) begin = Math.min(begin, list[0] as number)
    const end = begin + STRETCH_BYTES
    const taken: Float64Array[] = []
    let exhausted = false
    for (const [i, list] of this.#lists.entries()) {
      if ((list[0] as number) >= end) continue
      const count = countBelow(list, end)
      taken.push(list.subarray(0, count))
      this.#lists[i] = list.subarray(count)
      exhausted ||= count === list.length
    }
    if (exhausted) this.#lists = this.#lists.filter((list) => list.length > 0)
    return taken
  }

  /**
   * The view stays open for as long as a task reads by its descriptor, whatever becomes of the snapshot. Without the
   * snapshot and without a task it may have been closed, so that is looked at first.
   */
  async #retaining<R>(run: () => Promise<R>): Promise<R> {
    this.#subject.assertReadable()
    const view = this.#subject.view.retain()
    try {
      return await run()
    } finally {
      view.release()
    }
  }

  /** Waits for what is under way. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#running)
  }
}

/** How many numbers of an ascending list are less than `limit`. */
function countBelow(list: Float64Array, limit: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle] as number) < limit) low = middle + 1
    else high = middle
  }
  return low
}

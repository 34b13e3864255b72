import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { RecordBatch, Snapshot, StoredRecord } from '../core/storage.js'
import type { JournalView } from '../journal/shared-journal.js'
import type { TaskRunner } from '../workers/each-range.js'
import { readStretches, type ScanSubject, scanJournal } from '../workers/scan.js'
import type { ReadTask } from '../workers/scan-task.js'

/** How many records are looked up between two looks at the clock. */
const RECORDS_PER_CHECK = 64

/** Other work of the thread waits at most about this long for a bulk load. */
const MAX_BLOCKING_MS = 5

/** Shared by the snapshots of one handle. */
export interface HandleState {
  closed: boolean
  loads: number
  readonly pool: TaskRunner
}

/** A view of the journal as of one transaction. */
export class FileSnapshot implements Snapshot {
  readonly tid: Tid
  readonly #view: JournalView
  readonly #handle: HandleState
  #released = false

  /** @param view is retained until the snapshot is released */
  constructor(view: JournalView, tid: Tid, handle: HandleState) {
    this.#view = view.retain()
    this.tid = tid
    this.#handle = handle
  }

  load(oid: Oid): StoredRecord | undefined {
    this.#assertReadable()
    this.#handle.loads++
    const { index, reader } = this.#view
    const offset = index.get(oid)
    return offset === 0 ? undefined : reader.load(oid, offset, this.tid)
  }

  async loadMany(oids: readonly Oid[]): Promise<(StoredRecord | undefined)[]> {
    const wanted = oids.slice()
    const records: (StoredRecord | undefined)[] = []
    const pause = new Pause()
    for (const oid of wanted) {
      if (pause.isDue()) await nextTurn()
      records.push(copyOf(this.load(oid)))
    }
    return records
  }

  async *records(): AsyncGenerator<StoredRecord> {
    const pause = new Pause()
    const end = this.#view.state.get('nextOid')
    for (let oid = 0; oid < end; oid++) {
      if (pause.isDue()) await nextTurn()
      const record = copyOf(this.load(oid))
      if (record !== undefined) yield record
    }
  }

  scan(): AsyncIterable<RecordBatch> {
    return scanJournal(this.#handle.pool, this.#subject())
  }

  /**
   * Has threads read all records where they lie. The results come in no particular order.
   *
   * @param pool has the task `locateRecords`
   * @param read gives a stretch of the file to some thread, which reads it with `visitRecords`
   */
  stretches<T>(pool: TaskRunner, read: (task: ReadTask) => Promise<T>): AsyncIterable<T> {
    return readStretches(pool, this.#subject(), read)
  }

  #subject(): ScanSubject {
    return { view: this.#view, tid: this.tid, assertReadable: () => this.#assertReadable() }
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#view.release()
  }

  #assertReadable(): void {
    if (!this.#released && !this.#handle.closed) return
    throw this.#released
      ? new PerdureError('PERDURE_CLOSED', `The snapshot at transaction ${this.tid} has been released.`)
      : new PerdureError('PERDURE_CLOSED', 'The storage of this snapshot has been closed.')
  }
}

/** The block a record lies in may be used for another one before the caller looks at it. */
function copyOf(record: StoredRecord | undefined): StoredRecord | undefined {
  return record === undefined ? undefined : { ...record, data: Uint8Array.prototype.slice.call(record.data) }
}

/** Says when a loop should let the event loop turn. */
export class Pause {
  readonly #callsPerCheck: number
  #calls = 0
  #since = performance.now()

  /** @param callsPerCheck how often it is asked between two looks at the clock */
  constructor(callsPerCheck = RECORDS_PER_CHECK) {
    this.#callsPerCheck = callsPerCheck
  }

  isDue(): boolean {
    if (++this.#calls % this.#callsPerCheck !== 0) return false
    const now = performance.now()
    if (now - this.#since < MAX_BLOCKING_MS) return false
    this.#since = now
    return true
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import { scanRecords } from '../../core/record-batch.js'
import type { RecordBatch, Snapshot, StoredRecord } from '../../core/storage.js'
import { Pause } from '../file-snapshot.js'
import type { Reader } from './reader.js'

/** What is read at a time when all is read, in bytes, as far as that can be foreseen. */
const PAGE_BYTES = 256 * 1024
const MAX_PAGE = 1024

/** Shared by the snapshots of one handle. */
export interface HandleState {
  closed: boolean
  loads: number
}

/** By what a snapshot reads. */
export interface View {
  readonly reader: Reader
  /** Gives the view up. */
  release(): void
}

/** A view of the database as of one transaction. */
export class SqliteSnapshot implements Snapshot {
  readonly tid: Tid
  readonly #view: View
  readonly #handle: HandleState
  #released = false

  /** @param view is released with the snapshot */
  constructor(view: View, tid: Tid, handle: HandleState) {
    this.#view = view
    this.tid = tid
    this.#handle = handle
  }

  load(oid: Oid): StoredRecord | undefined {
    this.#assertReadable()
    this.#handle.loads++
    return this.#view.reader.load(oid, this.tid)
  }

  async loadMany(oids: readonly Oid[]): Promise<(StoredRecord | undefined)[]> {
    this.#assertReadable()
    const wanted = oids.slice()
    const records: (StoredRecord | undefined)[] = []
    const pause = new Pause()
    for (const oid of wanted) {
      if (pause.isDue()) await nextTurn()
      records.push(this.load(oid))
    }
    return records
  }

  async *records(): AsyncGenerator<StoredRecord> {
    this.#assertReadable()
    let limit = 1
    for (let last = -1; ; ) {
      const page = this.#view.reader.page(last, this.tid, limit)
      let bytes = 1
      for (const record of page) {
        bytes += record.data.length
        this.#handle.loads++
        yield record
        this.#assertReadable()
      }
      if (page.length < limit) return
      last = page.at(-1)?.oid ?? last
      limit = Math.max(1, Math.min(2 * limit, MAX_PAGE, Math.floor((PAGE_BYTES * page.length) / bytes)))
      await nextTurn()
      this.#assertReadable()
    }
  }

  scan(): AsyncIterable<RecordBatch> {
    return scanRecords(this.records())
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

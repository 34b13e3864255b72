import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { scanRecords } from '../core/record-batch.js'
import type { RecordBatch, Snapshot, StoredRecord } from '../core/storage.js'
import type { Point, VersionStore } from './version-store.js'

/** How many records are handed out between two turns of the event loop. */
const RECORDS_PER_TURN = 4096

/** A view of a {@link VersionStore} at one of its points. */
export class MemorySnapshot implements Snapshot {
  readonly tid: Tid
  readonly #store: VersionStore
  readonly #point: Point
  /** Throws if the storage is closed; counts loads otherwise. */
  readonly #beforeLoading: (loads: number) => void
  #released = false

  constructor(store: VersionStore, point: Point, beforeLoading: (loads: number) => void) {
    this.tid = point.tid
    this.#store = store
    this.#point = point
    this.#beforeLoading = beforeLoading
  }

  load(oid: Oid): StoredRecord | undefined {
    this.#assertReadable(1)
    return this.#store.at(oid, this.#point)
  }

  async loadMany(oids: readonly Oid[]): Promise<(StoredRecord | undefined)[]> {
    const records: (StoredRecord | undefined)[] = []
    for (let start = 0; start < oids.length || start === 0; start += RECORDS_PER_TURN) {
      if (start > 0) await nextTurn()
      const some = oids.slice(start, start + RECORDS_PER_TURN)
      this.#assertReadable(some.length)
      for (const oid of some) records.push(this.#store.at(oid, this.#point))
    }
    return records
  }

  async *records(): AsyncGenerator<StoredRecord> {
    let count = 0
    this.#assertReadable(0)
    for (const oid of this.#store.oids()) {
      if (++count % RECORDS_PER_TURN === 0) await nextTurn()
      this.#assertReadable(0)
      const record = this.#store.at(oid, this.#point)
      if (record === undefined) continue
      this.#beforeLoading(1)
      yield record
    }
    // A storage that has been closed has no oids left.
    this.#assertReadable(0)
  }

  scan(): AsyncIterable<RecordBatch> {
    return scanRecords(this.records())
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#store.release(this.#point)
  }

  #assertReadable(loads: number): void {
    if (this.#released) {
      throw new PerdureError('PERDURE_CLOSED', `The snapshot at transaction ${this.tid} has been released.`)
    }
    this.#beforeLoading(loads)
  }
}

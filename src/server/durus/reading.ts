import type { Oid, Tid } from '../../core/oid.js'
import type { Snapshot, Storage } from '../../core/storage.js'
import { type DurusWriter, STATUS } from './format.js'
import { writeRecord } from './record.js'

/**
 * What a client reads at one moment: the newest state, of which everything is invalid that has changed since the client
 * was last told of changes. So all that it reads belongs to the state it has been told of.
 */
export class Reading {
  readonly #storage: Storage
  readonly #snapshot: Snapshot
  readonly #told: Tid
  /** What has changed since `#told`; null if nobody knows. */
  #changed: ReadonlySet<Oid> | null | undefined

  constructor(storage: Storage, told: Tid) {
    this.#storage = storage
    this.#told = told
    this.#snapshot = storage.snapshot()
  }

  /** Appends what answers the load of one object. Undefined stands for an oid that cannot be. */
  answer(out: DurusWriter, oid: Oid | undefined): void {
    const record = oid === undefined ? undefined : this.#snapshot.load(oid)
    if (oid === undefined || record === undefined) {
      out.byte(this.#wasRemoved(oid) ? STATUS.invalid : STATUS.missing)
    } else if (record.tid > this.#told) {
      out.byte(STATUS.invalid)
    } else {
      out.byte(STATUS.okay)
      writeRecord(out, oid, record.data)
    }
  }

  /** Tells whether a missing object may have been there when the client was last told of changes. */
  #wasRemoved(oid: Oid | undefined): boolean {
    if (oid === undefined || this.#snapshot.tid === this.#told) return false
    if (this.#changed === undefined) {
      const changed = this.#storage.changes(this.#told, this.#snapshot.tid)
      this.#changed = changed === undefined ? null : new Set(changed)
    }
    return this.#changed === null || this.#changed.has(oid)
  }

  release(): void {
    this.#snapshot.release()
  }
}

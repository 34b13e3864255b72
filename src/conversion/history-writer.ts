import type { Oid, Tid } from '../core/oid.js'
import type { RecordWrite, Storage, TransactionInfo } from '../core/storage.js'
import { othersWrite } from './bulk-writer.js'
import { OidReserve } from './oid-reserve.js'

interface Expected {
  readonly transaction: TransactionInfo
  readonly records: number
}

/** Commits transactions again, one by one, as another storage had them. */
export class HistoryWriter {
  readonly #storage: Storage
  readonly #oids: OidReserve
  readonly #expected: Expected[] = []
  #writes: RecordWrite[] = []
  #base: Tid

  /** @param storage with the capability `restore`, to which nobody else writes */
  constructor(storage: Storage) {
    this.#storage = storage
    this.#oids = new OidReserve(storage)
    const snapshot = storage.snapshot()
    this.#base = snapshot.tid
    snapshot.release()
  }

  /** Oids below this one are never given to a new object. */
  reserve(nextOid: Oid): void {
    this.#oids.want(nextOid)
  }

  /** Says which transaction the next records belong to, after those of the ones before. */
  expect(transaction: TransactionInfo, records: number): void {
    this.#expected.push({ transaction, records })
  }

  /**
   * Adds a record; a transaction that has all of its own is committed.
   *
   * @throws PerdureError (as a rejection) what the storage's `commit` throws
   */
  add(oid: Oid, data: Uint8Array): Promise<void> | undefined {
    this.#writes.push({ oid, data })
    this.#oids.want(oid + 1)
    const [first] = this.#expected
    return this.#writes.length === first?.records ? this.#commit() : undefined
  }

  async #commit(): Promise<void> {
    const { transaction } = this.#expected.shift() as Expected
    const writes = this.#writes
    this.#writes = []
    this.#oids.allocate()
    const { note, user, token, time } = transaction
    const result = await this.#storage.commit({
      base: this.#base,
      reads: [],
      writes,
      note,
      user,
      ...(token !== undefined && { token }),
      restored: { time },
    })
    if (result.tid === undefined) throw othersWrite(this.#storage.location)
    this.#base = result.tid
  }
}

import type { Conflict } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { recordClassName } from '../core/record.js'
import type { OidIndex } from '../journal/oid-index.js'
import type { JournalReader } from '../journal/reader.js'
import type { TransactionImage } from '../journal/transaction.js'
import type { CommitBatch } from './commit-batch.js'
import { EndRing } from './end-ring.js'

/**
 * Finds what has changed since a snapshot. An object has, if its newest version stands behind the end of the
 * snapshot's transaction; so the journal is read only for snapshots too old for their end to be remembered.
 */
export class ConflictFinder {
  readonly #index: OidIndex
  readonly #reader: JournalReader
  readonly #ends = new EndRing()

  constructor(index: OidIndex, reader: JournalReader) {
    this.#index = index
    this.#reader = reader
  }

  /** To be told of each transaction: where it ends in the journal. */
  remember(tid: Tid, end: number): void {
    this.#ends.set(tid, end)
  }

  /**
   * The objects read or written that have changed since `base`.
   *
   * @param newest transaction whose versions are in the index
   * @param batch what comes before in the same batch, and is not yet in the index
   */
  find(
    base: Tid,
    reads: readonly Oid[],
    image: TransactionImage | undefined,
    newest: Tid,
    batch: CommitBatch,
  ): Conflict[] {
    if (base === batch.tid) return []
    const boundary = this.#ends.get(base)
    const changed = new Set<Oid>()
    const check = (oid: Oid) => {
      if (batch.find(oid) !== undefined || this.#changedAfter(oid, base, boundary)) changed.add(oid)
    }
    reads.forEach(check)
    image?.forEachRecord(check)
    return Array.from(changed, (oid) => this.#conflict(oid, newest, batch))
  }

  /** @param boundary end of transaction `base`, or undefined if it is too long ago to be remembered */
  #changedAfter(oid: Oid, base: Tid, boundary: number | undefined): boolean {
    const offset = this.#index.get(oid)
    if (offset === 0) return false
    return boundary === undefined ? this.#reader.tidAt(oid, offset) > base : offset >= boundary
  }

  #conflict(oid: Oid, newest: Tid, batch: CommitBatch): Conflict {
    const unwritten = batch.find(oid)
    if (unwritten !== undefined) {
      return { oid, className: className(unwritten.image.dataAt(unwritten.offset)), tid: unwritten.tid }
    }
    const record = this.#reader.load(oid, this.#index.get(oid), newest)
    return { oid, className: record === undefined ? '' : className(record.data), tid: record?.tid ?? newest }
  }
}

function className(data: Uint8Array): string {
  try {
    return recordClassName(data)
  } catch {
    return '' // A conflict is worth reporting even if the record in the way makes no sense.
  }
}

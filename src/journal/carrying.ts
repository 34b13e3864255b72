import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { recordReferences } from '../core/record.js'
import type { StoredRecord } from '../core/storage.js'
import { RECORD_HEADER_BYTES } from './format.js'
import type { OidIndex } from './oid-index.js'
import type { JournalReader } from './reader.js'

/** Where older versions are found. */
export interface OlderVersions {
  readonly index: OidIndex
  readonly reader: JournalReader
}

/** Finds the older versions that one transaction needs and a packed journal does not have yet. */
export class Carrying {
  readonly records: StoredRecord[] = []
  /** What the records take in a transaction. */
  bytes = 0
  readonly #source: OlderVersions
  readonly #index: OidIndex
  readonly #asOf: Tid
  readonly #mostBytes: number
  /** Objects that are not in the packed journal, and have been seen to. */
  readonly #seen = new Set<Oid>()
  #done = 0

  /**
   * @param index of the packed journal
   * @param asOf the transaction as of which versions are carried
   * @param mostBytes more than this is not carried
   */
  constructor(source: OlderVersions, index: OidIndex, asOf: Tid, mostBytes: number) {
    this.#source = source
    this.#index = index
    this.#asOf = asOf
    this.#mostBytes = mostBytes
  }

  /**
   * The transaction writes this object. To be called for all of them before anything else, because what it writes
   * itself need not be looked for.
   *
   * @param previous offset of the version before in the old journal, or 0
   */
  need(oid: Oid, previous: number): void {
    if (!this.#isTooMuch && this.#index.get(oid) === 0) this.#carry(oid, previous)
  }

  /** The transaction refers to what this record refers to. */
  needReferences(data: Uint8Array): void {
    for (const oid of referencesOf(data)) {
      if (this.#isTooMuch) return
      if (this.#index.get(oid) === 0 && !this.#seen.has(oid)) this.#carry(oid, this.#source.index.get(oid))
    }
  }

  /** Sees to what the carried records refer to. False if all that is too much. */
  complete(): boolean {
    while (this.#done < this.records.length && !this.#isTooMuch) {
      this.needReferences((this.records[this.#done++] as StoredRecord).data)
    }
    return !this.#isTooMuch
  }

  get #isTooMuch(): boolean {
    return this.bytes > this.#mostBytes
  }

  #carry(oid: Oid, offset: number): void {
    this.#seen.add(oid)
    const record = offset === 0 ? undefined : this.#source.reader.load(oid, offset, this.#asOf)
    if (record === undefined) return
    this.records.push({ ...record, data: Uint8Array.prototype.slice.call(record.data) })
    this.bytes += RECORD_HEADER_BYTES + record.data.length
  }
}

/** What makes no sense as a record refers to nothing: it is kept as it is. */
function referencesOf(data: Uint8Array): Oid[] {
  try {
    return recordReferences(data)
  } catch (error) {
    if (error instanceof PerdureError && error.code === 'PERDURE_DECODE') return []
    throw error
  }
}

import type { Oid, Tid } from '../../core/oid.js'
import type { StoredRecord } from '../../core/storage.js'

/** What an entry takes beside the bytes of its record, about. */
const ENTRY_BYTES = 160

/** Records that came together, whose bytes share memory, and go together. */
interface Batch {
  readonly bytes: number
  readonly oids: readonly Oid[]
  /** True since one of its records was wanted; cleared when the hand of the clock passes. */
  used: boolean
}

interface Entry {
  readonly record: StoredRecord
  readonly batch: Batch
  /** True until it is wanted, if it came without having been asked for. */
  ahead: boolean
  /** The newest snapshot for which this is surely the version to show; MAX_ID as long as no change is known. */
  upTo: Tid
}

/**
 * Records as the server sent them, each with the range of snapshots that it is the right version for. Bounded in bytes;
 * what came together is evicted together, oldest first, unless some of it was used since the last time (the second
 * chance of Corbató's CLOCK).
 */
export class RecordCache {
  readonly #limitBytes: number
  readonly #entries = new Map<Oid, Entry>()
  /** Oldest first. */
  readonly #batches = new Set<Batch>()
  #bytes = 0
  readonly #onAheadUsed: () => void

  /** @param onAheadUsed called when a record is wanted for the first time that nobody had asked for */
  constructor(limitBytes: number, onAheadUsed: () => void) {
    this.#limitBytes = limitBytes
    this.#onAheadUsed = onAheadUsed
  }

  /** Memory held, in bytes, about. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#entries.size
  }

  /** The version of the object that a snapshot of transaction `tid` shows, if it is there. */
  get(oid: Oid, tid: Tid): StoredRecord | undefined {
    const entry = this.#entries.get(oid)
    if (entry === undefined || tid > entry.upTo || entry.record.tid > tid) return undefined
    entry.batch.used = true
    if (entry.ahead) {
      entry.ahead = false
      this.#onAheadUsed()
    }
    return entry.record
  }

  /** Whether {@link get} would find the object. */
  has(oid: Oid, tid: Tid): boolean {
    const entry = this.#entries.get(oid)
    return entry !== undefined && tid <= entry.upTo && entry.record.tid <= tid
  }

  /**
   * Takes records that came together.
   *
   * @param asked the object that was asked for; the others came along
   * @param bytes the memory that they keep
   * @param upTo gives the newest snapshot for which each is surely right
   */
  add(records: readonly StoredRecord[], asked: Oid, bytes: number, upTo: (oid: Oid) => Tid): void {
    const cost = bytes + records.length * ENTRY_BYTES
    if (records.length === 0 || cost > this.#limitBytes) return
    const batch: Batch = { bytes: cost, oids: records.map(({ oid }) => oid), used: false }
    for (const record of records) {
      const limit = upTo(record.oid)
      // An older version must not displace a newer one, which later snapshots will want.
      if ((this.#entries.get(record.oid)?.upTo ?? -1) <= limit) {
        this.#entries.set(record.oid, { record, batch, ahead: record.oid !== asked, upTo: limit })
      }
    }
    this.#batches.add(batch)
    this.#bytes += cost
    while (this.#bytes > this.#limitBytes) this.#evict()
  }

  #evict(): void {
    const [batch] = this.#batches
    if (batch === undefined) return
    this.#batches.delete(batch)
    if (batch.used) {
      batch.used = false
      this.#batches.add(batch)
      return
    }
    this.#bytes -= batch.bytes
    for (const oid of batch.oids) if (this.#entries.get(oid)?.batch === batch) this.#entries.delete(oid)
  }

  /** Objects were changed by transactions after `tid`. */
  changed(oids: Iterable<Oid>, tid: Tid): void {
    for (const oid of oids) {
      const entry = this.#entries.get(oid)
      if (entry !== undefined && entry.upTo > tid) entry.upTo = tid
    }
  }

  clear(): void {
    this.#entries.clear()
    this.#batches.clear()
    this.#bytes = 0
  }
}

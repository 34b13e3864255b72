import { MAX_ID, type Oid, type Tid } from '../../core/oid.js'
import type { StoredRecord } from '../../core/storage.js'
import type { ServerNotice } from '../../server/protocol/messages.js'
import { RangeLog } from './range-log.js'
import { RecordCache } from './record-cache.js'

/** How many oids of past transactions are remembered. */
const CHANGES_REMEMBERED = 262_144

/** Memory that is mostly not a record's is not worth keeping. */
const MAX_WASTE_BYTES = 4096

/**
 * What all connections of a process know of one server's records: which have changed, and the bytes of some. The server
 * tells of changes before it tells a tid, so what is known here is never older than a snapshot.
 */
export class SharedRecords {
  readonly #log = new RangeLog(CHANGES_REMEMBERED)
  readonly #cache: RecordCache
  /** True from the beginning of a connection to the server until it has named its first tid. */
  #isFresh = true
  #newest: Tid = 0
  /** The newest transaction that earlier connections have told of. */
  #newestBefore: Tid = 0
  #hasGoneBack = false

  constructor(cacheBytes: number, onAheadUsed: () => void) {
    this.#cache = new RecordCache(cacheBytes, onAheadUsed)
  }

  /** Memory held by records, in bytes, about. */
  get cachedBytes(): number {
    return this.#cache.bytes
  }

  /** A connection has begun: nobody has told what has happened since the last one was lost. */
  restart(): void {
    this.#isFresh = true
    this.#newestBefore = this.#newest
    this.#cache.clear()
  }

  changed({ after, upTo, oids }: Extract<ServerNotice, { readonly type: 'changed' }>): void {
    if (this.#isFresh || oids === undefined || after > this.#log.upTo) {
      this.#begin(upTo)
    } else if (upTo > this.#log.upTo) {
      this.#cache.changed(oids, Math.min(after, this.#log.upTo))
      this.#log.append(upTo, oids)
    }
    this.#newest = Math.max(this.#newest, upTo)
  }

  /** The server has named this transaction as the newest one. */
  saw(tid: Tid): void {
    if (this.#isFresh || tid > this.#log.upTo) this.#begin(tid)
    // Only here: what a notice covers may end long before the newest, when it goes before an answer about the past.
    if (tid < this.#newestBefore) this.#hasGoneBack = true
    this.#newest = Math.max(this.#newest, tid)
  }

  /** True if the newest transaction on a connection was older than one that an earlier connection had seen. */
  get hasGoneBack(): boolean {
    return this.#hasGoneBack
  }

  #begin(tid: Tid): void {
    this.#isFresh = false
    this.#cache.clear()
    this.#log.restart(tid)
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    return this.#log.between(after, upTo)
  }

  find(oid: Oid, tid: Tid): StoredRecord | undefined {
    return this.#cache.get(oid, tid)
  }

  has(oid: Oid, tid: Tid): boolean {
    return this.#cache.has(oid, tid)
  }

  /** Keeps records that came together, of a snapshot of transaction `tid`; of them, `asked` was asked for. */
  keep(records: readonly StoredRecord[], asked: Oid, tid: Tid): void {
    const compact = compacted(records)
    const bytes = compact[0]?.data.buffer.byteLength ?? 0
    this.#cache.add(compact, asked, bytes, (oid) => (this.#log.isUnchangedSince(oid, tid) ? MAX_ID : tid))
  }
}

/** The same records, whose memory has no room for much else. They come as views of what was received with them. */
function compacted(records: readonly StoredRecord[]): readonly StoredRecord[] {
  const size = records.reduce((sum, { data }) => sum + data.length, 0)
  const held = records[0]?.data.buffer.byteLength ?? 0
  if (held <= size * 2 + MAX_WASTE_BYTES) return records
  const bytes = new Uint8Array(size)
  let at = 0
  return records.map(({ oid, tid, data }) => {
    const own = bytes.subarray(at, at + data.length)
    own.set(data)
    at += data.length
    return { oid, tid, data: own }
  })
}

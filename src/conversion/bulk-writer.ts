import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { RecordWrite, Storage } from '../core/storage.js'
import { OidReserve } from './oid-reserve.js'
import { OidSet } from './oid-set.js'

/** Records are committed in parts of about this many bytes; two parts are in memory at a time. */
const PART_BYTES = 4 * 1024 * 1024

export interface BulkWriterOptions {
  /** Kept with each part's transaction. */
  readonly note?: string
  /** When what is written was committed. Default: now. */
  readonly time?: Date
  /** Size of a part, in bytes; given by tests. */
  readonly partBytes?: number
}

/**
 * Writes objects into a new database, in any order: an object may refer to others that are still to come. They are
 * committed in parts, while more are gathered.
 *
 * @example
 * const writer = new BulkWriter(draft.storage, { note: 'imported' })
 * for (const { oid, data } of records) await writer.add(oid, data)
 * writer.reserve(nextOid)
 * await writer.flush()
 */
export class BulkWriter {
  readonly #storage: Storage
  readonly #note: string | undefined
  readonly #time: Date
  readonly #partBytes: number
  readonly #oids: OidReserve
  readonly #added = new OidSet()
  #base: Tid
  #writes: RecordWrite[] = []
  #gathered = 0
  #commit: Promise<void> = Promise.resolve()
  #objects = 0
  #bytes = 0
  #parts = 0

  /** @param storage with the capability `restore`, to which nobody else writes */
  constructor(storage: Storage, { note, time = new Date(), partBytes = PART_BYTES }: BulkWriterOptions = {}) {
    this.#storage = storage
    this.#oids = new OidReserve(storage)
    this.#note = note
    this.#time = time
    this.#partBytes = partBytes
    const snapshot = storage.snapshot()
    this.#base = snapshot.tid
    snapshot.release()
  }

  /** How many objects have been added. */
  get objects(): number {
    return this.#objects
  }

  /** Size of their records, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many transactions that has taken. */
  get parts(): number {
    return this.#parts
  }

  /**
   * Adds an object. The next one may be added when what is returned has resolved; undefined means at once.
   *
   * @param data its encoded record, which must not be changed before {@link flush} has resolved
   * @throws PerdureError `PERDURE_ARGUMENT` with `details.oid` for an object that was added before; and as a rejection
   *   what {@link flush} throws, for the objects before it
   */
  add(oid: Oid, data: Uint8Array): Promise<void> | undefined {
    if (!this.#added.add(oid)) {
      throw new PerdureError('PERDURE_ARGUMENT', `Object ${oid} is there twice.`, { details: { oid } })
    }
    if (this.#gathered > 0 && this.#gathered + data.length > this.#partBytes) {
      return this.#send().then(() => this.#push(oid, data))
    }
    this.#push(oid, data)
    return undefined
  }

  #push(oid: Oid, data: Uint8Array): void {
    this.#writes.push({ oid, data })
    this.#gathered += data.length
    this.#objects++
    this.#bytes += data.length
    this.#oids.want(oid + 1)
  }

  /**
   * Sees to it that oids below `nextOid` are never given to a new object, since they have been somebody's. To be called
   * before {@link flush}; without any object there is nothing to which this could be added.
   */
  reserve(nextOid: Oid): void {
    this.#oids.want(nextOid)
  }

  /**
   * Commits what is left, and waits until all is.
   *
   * @throws PerdureError `PERDURE_LIMIT` for an oid, in `details.oid`, that is too large for the storage; `PERDURE_BUSY` if
   *   somebody else writes to it; and what its `commit` throws
   */
  async flush(): Promise<void> {
    await this.#send()
    await this.#commit
  }

  /** There is always something left until the end, with which the oids that are reserved can be committed. */
  async #send(): Promise<void> {
    const writes = this.#writes
    this.#writes = []
    this.#gathered = 0
    await this.#commit
    if (writes.length === 0) return
    this.#oids.allocate()
    this.#commit = this.#store(writes)
    this.#parts++
    // Whoever calls next gets the error.
    this.#commit.catch(() => {})
  }

  async #store(writes: readonly RecordWrite[]): Promise<void> {
    const { tid } = await this.#storage.commit({
      base: this.#base,
      reads: [],
      writes,
      restored: { time: this.#time },
      ...(this.#note !== undefined && { note: this.#note }),
    })
    if (tid === undefined) throw othersWrite(this.#storage.location)
    this.#base = tid
  }
}

/** Objects that nobody has can conflict only with those of somebody else. */
export function othersWrite(location: string): PerdureError {
  return new PerdureError('PERDURE_BUSY', `Somebody else writes to ${location}, which is still being made.`, {
    details: { path: location },
  })
}

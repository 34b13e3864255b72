import type { Oid, Tid } from '../core/oid.js'
import type { TransactionImage } from '../journal/transaction.js'

/** A transaction of the batch in work that has passed validation. */
export interface Accepted {
  readonly image: TransactionImage
  readonly position: number
  readonly tid: Tid
}

/** A version that is validated but not yet written. */
export interface Unwritten extends Accepted {
  /** Of the record in the image. */
  readonly offset: number
}

/** What has been accepted of the batch in work, and would hold if it were stored. */
export class CommitBatch {
  tid: Tid
  end: number
  readonly #accepted: Accepted[]
  readonly #versions = new Map<Oid, Unwritten>()
  #known = 0
  #nextOid = 0
  #now = 0
  #time = 0

  constructor(tid: Tid, end: number, accepted: Accepted[]) {
    this.tid = tid
    this.end = end
    this.#accepted = accepted
  }

  /** The newest version of `oid` in this batch. */
  find(oid: Oid): Unwritten | undefined {
    if (this.#known < this.#accepted.length) this.#learn()
    return this.#versions.get(oid)
  }

  /** Only when somebody asks, because a large transaction is mostly alone in its batch. */
  #learn(): void {
    for (const accepted of this.#accepted.slice(this.#known)) {
      accepted.image.forEachRecord((oid, offset) => this.#versions.set(oid, { ...accepted, offset }))
    }
    this.#known = this.#accepted.length
  }

  /** Where in the file it will stand. */
  offsetOf(oid: Oid): number | undefined {
    if (this.#accepted.length === 0) return undefined
    const version = this.find(oid)
    return version === undefined ? undefined : version.position + version.offset
  }

  add(image: TransactionImage, nextOid: Oid): void {
    this.tid++
    this.#accepted.push({ image, position: this.end, tid: this.tid })
    this.end += image.bytes.length
    this.#nextOid = nextOid
  }

  nextOid(before: Oid): Oid {
    return Math.max(before, this.#nextOid)
  }

  /**
   * The time of the next transaction: `restoredAt`, or else one time for the whole batch; and never before that of an
   * earlier one.
   */
  timeAfter(before: number, restoredAt: number | undefined): number {
    this.#time = Math.max(before, this.#time, restoredAt ?? this.#clock())
    return this.#time
  }

  #clock(): number {
    if (this.#now === 0) this.#now = Date.now()
    return this.#now
  }
}

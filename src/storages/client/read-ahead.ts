import type { Oid } from '../../core/oid.js'
import { recordReferenceCount, recordReferences } from '../../core/record.js'
import type { StoredRecord } from '../../core/storage.js'

/** How many records a load brings along: at least, at first, and at most. */
const LEAST = 4
const FIRST = 256
const MOST = 1024

/** Room for a record, on the average, in bytes. Larger ones mean that fewer come. */
const BYTES_A_RECORD = 1024

/** From so many references on, an object is taken for a collection whose members will be wanted one after another. */
const WIDE = 8

/** How many collections that were loaded last are remembered. */
const REMEMBERED = 16

/** A collection that was loaded. */
interface Collection {
  readonly record: StoredRecord
  /** Its references, in their order; taken out of the record when they are needed first. */
  members: readonly Oid[] | undefined
  /** Where the member that was wanted last stands. */
  position: number
}

/**
 * Decides what a load brings along: of what the object refers to, and of what stands beside it in the collection
 * through which it was reached. The more of that turns out to be used, the more is brought the next time.
 */
export class ReadAhead {
  #records = FIRST
  #brought = 0
  #used = 0
  /** Newest first. */
  readonly #collections: Collection[] = []

  /** How many records to bring along. */
  get records(): number {
    return this.#records
  }

  /** How many bytes they may have. */
  get bytes(): number {
    return this.#records * BYTES_A_RECORD
  }

  /** Something is wanted that was not brought along: time to judge what was. */
  missed(): void {
    if (this.#used * 2 >= this.#brought) this.#records = Math.min(MOST, this.#records * 2)
    else if (this.#used * 8 < this.#brought) this.#records = Math.max(LEAST, this.#records / 2)
    this.#brought = 0
    this.#used = 0
  }

  /** So many records have come that nobody has asked for. */
  brought(records: number): void {
    this.#brought += records
  }

  /** One of them was wanted. */
  used(): void {
    this.#used++
  }

  /** The record was given to somebody, who may now follow its references. */
  given(record: StoredRecord): void {
    if (recordReferenceCount(record.data) < WIDE) return
    const known = this.#collections.findIndex((collection) => collection.record.oid === record.oid)
    if (known >= 0) this.#collections.splice(known, 1)
    this.#collections.unshift({ record, members: undefined, position: -1 })
    if (this.#collections.length > REMEMBERED) this.#collections.pop()
  }

  /** What stands behind `oid` in the collection through which it was probably reached, without what `isThere` already. */
  siblings(oid: Oid, isThere: (oid: Oid) => boolean): Oid[] {
    for (const collection of this.#collections) {
      collection.members ??= recordReferences(collection.record.data)
      const { members } = collection
      // Mostly members are wanted in their order.
      let at = members.indexOf(oid, collection.position + 1)
      if (at < 0) at = members.indexOf(oid)
      if (at < 0) continue
      collection.position = at
      const wanted: Oid[] = []
      for (let i = at + 1; i < members.length && wanted.length < this.#records; i++) {
        const member = members[i] as Oid
        if (member !== oid && !isThere(member)) wanted.push(member)
      }
      return wanted
    }
    return []
  }

  clear(): void {
    this.#collections.length = 0
  }
}

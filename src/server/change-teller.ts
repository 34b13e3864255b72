import type { Oid, Tid } from '../core/oid.js'
import type { Storage } from '../core/storage.js'
import { encodeServerMessage } from './protocol/message-frames.js'

/** Longer lists are not sent: a client that has missed so much does best to take everything as changed. */
const MAX_OIDS = 262_144

/** Idle clients have mostly been told up to the same few transactions. */
const REMEMBERED = 64

/** Longer notices are made anew each time. */
const REMEMBERED_BYTES = 65_536

/**
 * Makes the notices that say what has changed. Clients that have been told up to the same transaction get the same
 * bytes, so that many idle ones cost little.
 */
export class ChangeTeller {
  readonly #storage: Storage
  #upTo: Tid = 0
  readonly #frames = new Map<Tid, Buffer>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /**
   * A notice that covers the transactions after `after` up to `upTo`.
   *
   * @param after undefined for a client that has not been told anything yet: it can rely on nothing it may know
   * @param limitBytes the longest frame the client takes
   */
  notice(after: Tid | undefined, upTo: Tid, limitBytes: number): Buffer {
    if (after === undefined) return encodeServerMessage(0, { type: 'changed', after: 0, upTo, oids: undefined })
    if (upTo !== this.#upTo) {
      this.#frames.clear()
      this.#upTo = upTo
    }
    let frame = this.#frames.get(after)
    if (frame === undefined) {
      frame = encodeServerMessage(0, { type: 'changed', after, upTo, oids: this.#oids(after, upTo) })
      if (frame.length <= REMEMBERED_BYTES && this.#frames.size < REMEMBERED) this.#frames.set(after, frame)
    }
    return frame.length <= limitBytes
      ? frame
      : encodeServerMessage(0, { type: 'changed', after, upTo, oids: undefined })
  }

  #oids(after: Tid, upTo: Tid): Oid[] | undefined {
    const oids = new Set<Oid>()
    try {
      const changes = this.#storage.changes(after, upTo)
      if (changes === undefined) return undefined
      for (const oid of changes) {
        oids.add(oid)
        if (oids.size > MAX_OIDS) return undefined
      }
    } catch {
      // A commit that went through must be answered, even if the storage was closed or lost right after it.
      return undefined
    }
    return [...oids]
  }
}

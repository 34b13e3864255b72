import type { Oid, Tid } from '../../core/oid.js'
import type { Snapshot, Storage } from '../../core/storage.js'

/** Lists up to this long are freed of oids that occur more than once. */
const LONGEST_UNIQUE = 2 ** 20

/**
 * What one client has been told: the changes of all transactions up to {@link tid}. It knows of no newer ones, so
 * objects they have changed are invalid for it.
 */
export class Told {
  readonly #storage: Storage
  #tid: Tid
  /** What the transactions after `#tid`, up to `#upTo`, have changed. */
  #gathered: Oid[] = []
  #upTo: Tid
  /** Some list was made of the objects there are, so that it lacked those that were gone. */
  #lacksRemovals = false

  /** The client knows nothing yet, so nothing it knows can be out of date. */
  constructor(storage: Storage) {
    this.#storage = storage
    const snapshot = storage.snapshot()
    this.#tid = snapshot.tid
    this.#upTo = snapshot.tid
    snapshot.release()
  }

  get tid(): Tid {
    return this.#tid
  }

  /**
   * Collects what has changed up to the newest transaction. This takes long only if so much has changed since the
   * last time that the storage can no longer say, and every object has to be looked at.
   */
  async gather(): Promise<void> {
    const snapshot = this.#storage.snapshot()
    try {
      if (snapshot.tid === this.#upTo) return
      const changed = this.#storage.changes(this.#upTo, snapshot.tid)
      if (changed === undefined) await this.#scan(snapshot)
      else for (const oid of changed) this.#gathered.push(oid)
      this.#upTo = snapshot.tid
    } finally {
      snapshot.release()
    }
  }

  /**
   * Objects that were removed are not found. That does no harm: oids are not used again, and a commit that stores a
   * removed object, or refers to one, is refused.
   */
  async #scan(snapshot: Snapshot): Promise<void> {
    this.#lacksRemovals = true
    for await (const { oids, tids } of snapshot.scan()) {
      for (let i = 0; i < oids.length; i++) {
        if ((tids[i] as Tid) > this.#upTo) this.#gathered.push(oids[i] as Oid)
      }
    }
  }

  /** Whether a missing object may have been removed without the client's knowledge. */
  mayBeRemoved(oid: Oid): boolean {
    if (this.#lacksRemovals) return true
    const snapshot = this.#storage.snapshot()
    snapshot.release()
    const changed = this.#storage.changes(this.#tid, snapshot.tid)
    return changed === undefined || [...changed].includes(oid)
  }

  /** What has been gathered. The client is being told. */
  tell(): readonly Oid[] {
    const oids = this.#gathered
    this.#gathered = []
    this.#tid = this.#upTo
    return oids.length > LONGEST_UNIQUE ? oids : [...new Set(oids)]
  }

  /**
   * The client's own transaction is nothing new to it. If somebody who does not pass the commit gate has committed
   * between, the client will be told of both.
   */
  committed(tid: Tid): void {
    if (tid !== this.#tid + 1) return
    this.#tid = tid
    this.#upTo = tid
  }
}

import { PerdureError } from '../core/errors.js'
import type { Snapshot } from '../core/storage.js'

/** The snapshots that one client holds, by the numbers it knows them by. */
export class SnapshotTable {
  readonly #snapshots = new Map<number, Snapshot>()
  readonly #onChange: (difference: number) => void
  #lastId = 0
  #isReleased = false

  /** @param onChange told of how many more, or fewer, are held now */
  constructor(onChange: (difference: number) => void) {
    this.#onChange = onChange
  }

  get size(): number {
    return this.#snapshots.size
  }

  /** @throws PerdureError `PERDURE_LIMIT` if no more than `limit` may be held */
  assertRoom(limit: number): void {
    if (this.#snapshots.size < limit) return
    throw new PerdureError('PERDURE_LIMIT', `A client may hold ${limit} snapshots at a time. Release some.`, {
      details: { limit },
    })
  }

  /** Takes over a snapshot, and releases it at once if the client is gone already. */
  add(snapshot: Snapshot): number {
    if (this.#isReleased) {
      snapshot.release()
    } else {
      this.#snapshots.set(++this.#lastId, snapshot)
      this.#onChange(1)
    }
    return this.#lastId
  }

  /** @throws PerdureError `PERDURE_CLOSED` if there is none, or it has been released */
  get(id: number): Snapshot {
    const snapshot = this.#snapshots.get(id)
    if (snapshot === undefined) throw new PerdureError('PERDURE_CLOSED', `The snapshot ${id} has been released.`)
    return snapshot
  }

  release(id: number): void {
    this.#snapshots.get(id)?.release()
    if (this.#snapshots.delete(id)) this.#onChange(-1)
  }

  releaseAll(): void {
    this.#isReleased = true
    for (const snapshot of this.#snapshots.values()) snapshot.release()
    this.#onChange(-this.#snapshots.size)
    this.#snapshots.clear()
  }
}

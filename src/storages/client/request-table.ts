import type { PerdureError } from '../../core/errors.js'
import { MAX_REQUEST_ID } from '../../server/protocol/frame-writer.js'
import type { Part, Reply } from '../../server/protocol/messages.js'

/** Who waits for the answer to a request. Exactly one of `done` and `failed` is called. */
export interface Waiter {
  /** A request that may take any time, as long as the server shows that it is alive. */
  readonly patient: boolean
  part(part: Part): void
  done(reply: Reply): void
  failed(error: PerdureError): void
}

interface Entry {
  readonly waiter: Waiter
  /** When it was made, or, if it had to wait for others, when it was sent. */
  since: number
  isWaiting: boolean
}

/** The requests that have not been answered, oldest first. */
export class RequestTable {
  readonly #entries = new Map<number, Entry>()
  #lastId = 0
  #answeredAt = 0

  get size(): number {
    return this.#entries.size
  }

  /** @param now on a clock of the caller's, in ms */
  add(waiter: Waiter, now: number): number {
    do this.#lastId = this.#lastId === MAX_REQUEST_ID ? 1 : this.#lastId + 1
    while (this.#entries.has(this.#lastId))
    this.#entries.set(this.#lastId, { waiter, since: now, isWaiting: true })
    return this.#lastId
  }

  /** The request is being sent. */
  sent(id: number, now: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.since = now
    entry.isWaiting = false
  }

  /** Some request has been answered, so those that wait to be sent have come closer to their turn. */
  answered(now: number): void {
    this.#answeredAt = now
  }

  get(id: number): Waiter | undefined {
    return this.#entries.get(id)?.waiter
  }

  take(id: number): Waiter | undefined {
    const waiter = this.get(id)
    this.#entries.delete(id)
    return waiter
  }

  /** Removes all, and returns them. */
  takeAll(): Waiter[] {
    const waiters = Array.from(this.#entries.values(), ({ waiter }) => waiter)
    this.#entries.clear()
    return waiters
  }

  /**
   * A request that has a limit and was sent before `time`, or has waited to be sent since then without another one
   * being answered.
   */
  overdue(time: number): number | undefined {
    for (const [id, { waiter, since, isWaiting }] of this.#entries) {
      if (!waiter.patient && (isWaiting ? Math.max(since, this.#answeredAt) : since) < time) return id
    }
    return undefined
  }

  get hasPatient(): boolean {
    for (const { waiter } of this.#entries.values()) if (waiter.patient) return true
    return false
  }
}

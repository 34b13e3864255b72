import { setImmediate as nextTurn } from 'node:timers/promises'

/** Bulk work keeps the thread for about this long, then others get their turn. */
const TURN_MS = 2

/**
 * Tells when bulk work has kept the event loop for long enough. There is one for all sessions of a server, because what
 * each of them does in one turn adds up.
 */
export class TurnLimit {
  /** How long that is. */
  readonly limitMs: number
  /** When bulk work began in this turn; undefined if none has. */
  #began: number | undefined
  #next: Promise<void> | undefined

  constructor(limitMs = TURN_MS) {
    this.limitMs = limitMs
  }

  /** To be asked before each piece of work, which should take much less than a turn. */
  get isReached(): boolean {
    if (this.#began !== undefined) return performance.now() - this.#began > this.limitMs
    this.#began = performance.now()
    setImmediate(() => {
      this.#began = undefined
    })
    return false
  }

  /** Resolves when the event loop has turned. */
  next(): Promise<void> {
    this.#next ??= nextTurn().then(() => {
      this.#next = undefined
    })
    return this.#next
  }
}

/**
 * Durus clients make the root of an empty database: one finds it missing, asks for an oid, insists on 0, and commits.
 * Here only one of them does so at a time, and the others wait for it, so that they may all start together.
 */
export class RootClaim {
  #holder: object | undefined
  #handedOut = false
  readonly #waiting = new Set<() => void>()

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Tells whether `client`, which has found no root, is the one to make it. */
  take(client: object): boolean {
    this.#holder ??= client
    return this.#holder === client
  }

  /** Tells whether the next oid for `client` is that of the root. It is given to nobody else until it is released. */
  handOut(client: object): boolean {
    if (this.#handedOut) return false
    this.#holder = client
    this.#handedOut = true
    return true
  }

  /** The client has gone. */
  release(client: object): void {
    if (this.#holder === client) this.settle()
  }

  /** There is a root now, or nobody is about to make one. */
  settle(): void {
    this.#holder = undefined
    this.#handedOut = false
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves when the claim is released, when the time is over, or when `signal` is aborted. */
  released(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      signal.addEventListener('abort', wake)
      this.#waiting.add(wake)
    })
  }
}

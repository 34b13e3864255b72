/** Somebody who waits at the gate. */
interface Waiting {
  readonly alone: boolean
  /** Called when he may pass; he has been counted by then. */
  readonly admit: () => void
}

/**
 * Lets commits through side by side, as long as nobody asks to be alone in the gate.
 *
 * A client of protocol 1 is told what has changed and then sends its transaction, trusting that nothing is committed
 * in between. So it passes alone: it waits for the commits under way, and everybody else waits for it, in the order of
 * arrival. Who is alone in the gate must have a time limit of his own. Commits that do not pass the gate, of other
 * threads that share the storage, are still found by the comparison with the transaction's base.
 */
export class CommitGate {
  #together = 0
  #alone = false
  readonly #queue: Waiting[] = []

  /** How many are inside. */
  get inside(): number {
    return this.#together + (this.#alone ? 1 : 0)
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length
  }

  /**
   * Runs a commit beside others. While nobody is alone in the gate, or waits to be, `commit` is called at once,
   * before this returns.
   */
  together<T>(commit: () => Promise<T>): Promise<T> {
    if (!this.#alone && this.#queue.length === 0) {
      this.#together++
      return this.#run(commit)
    }
    return new Promise<void>((admit) => this.#queue.push({ alone: false, admit })).then(() => this.#run(commit))
  }

  /**
   * Runs `work` while nothing is committed by anybody else.
   *
   * @param signal gives up waiting; the promise then rejects with its reason. It does not end the work.
   */
  async alone<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#together === 0 && !this.#alone && this.#queue.length === 0) this.#alone = true
    else await this.#waitToBeAlone(signal)
    try {
      return await work()
    } finally {
      this.#alone = false
      this.#admit()
    }
  }

  async #run<T>(commit: () => Promise<T>): Promise<T> {
    try {
      return await commit()
    } finally {
      this.#together--
      this.#admit()
    }
  }

  #waitToBeAlone(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        reject(signal?.reason)
        this.#admit()
      }
      const admit = () => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const waiting = { alone: true, admit }
      this.#queue.push(waiting)
      if (signal?.aborted) giveUp()
      else signal?.addEventListener('abort', giveUp)
    })
  }

  /** Lets in whoever is next, and with him those behind him that need not be alone. */
  #admit(): void {
    while (!this.#alone) {
      const next = this.#queue[0]
      if (next === undefined || (next.alone && this.#together > 0)) return
      this.#queue.shift()
      if (next.alone) this.#alone = true
      else this.#together++
      next.admit()
    }
  }
}

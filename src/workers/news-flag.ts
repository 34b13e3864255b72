const GENERATION = 0

/** Size of a flag's memory. */
export const NEWS_FLAG_BYTES = 4

/**
 * Tells one handle, without a message, that a message with a newer journal lies in its port. It is raised after that
 * was sent, and before any commit to the new journal is answered. So a handle that looks here first has a view of
 * every commit that has been answered before.
 */
export class NewsFlag {
  readonly memory: SharedArrayBuffer
  readonly #slots: Int32Array

  constructor(memory = new SharedArrayBuffer(NEWS_FLAG_BYTES)) {
    this.memory = memory
    this.#slots = new Int32Array(memory)
  }

  /** By the coordinator. */
  raise(generation: number): void {
    Atomics.store(this.#slots, GENERATION, generation)
    Atomics.notify(this.#slots, GENERATION)
  }

  /** The newest generation that the handle has been told of; 0 if none. */
  get generation(): number {
    return Atomics.load(this.#slots, GENERATION)
  }

  /** Blocks the thread until there is something newer than `generation`. False if there is nothing in time. */
  wait(generation: number, timeoutMs: number): boolean {
    const until = performance.now() + timeoutMs
    for (;;) {
      const seen = this.generation
      if (seen > generation) return true
      const left = until - performance.now()
      if (left <= 0) return false
      Atomics.wait(this.#slots, GENERATION, seen, left)
    }
  }
}

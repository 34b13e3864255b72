import type { Oid } from '../core/oid.js'

/** So many runs of objects are remembered, of so many objects each. */
const MOST_RUNS = 16
const MOST_OIDS = 4096

/** An object is looked for in so many places of a run: traversals move on from where they were. */
const LOOK_AHEAD = 1024

interface Run {
  readonly oids: Float64Array
  position: number
}

/**
 * What answers to loads would have sent next, had there been room: one run of oids for each answer. A client that goes
 * on with one of these objects will probably go on with those behind it.
 */
export class Frontier {
  #runs: Run[] = []

  /** Remembers what is left of the queue of an answer. */
  add(queue: readonly Oid[], from: number): void {
    if (from >= queue.length) return
    this.#runs = this.#runs.filter(({ oids, position }) => position < oids.length).slice(1 - MOST_RUNS)
    this.#runs.push({ oids: Float64Array.from(queue.slice(from, from + MOST_OIDS)), position: 0 })
  }

  /** What comes after `oid`, if it is remembered. What is taken is forgotten. */
  from(oid: Oid): { next(): Oid | undefined } {
    const run = this.#find(oid)
    return { next: () => (run === undefined ? undefined : run.oids[run.position++]) }
  }

  clear(): void {
    this.#runs = []
  }

  /** The newest run that has it soon, with its position behind it. */
  #find(oid: Oid): Run | undefined {
    for (let i = this.#runs.length - 1; i >= 0; i--) {
      const run = this.#runs[i] as Run
      const end = Math.min(run.oids.length, run.position + LOOK_AHEAD)
      for (let at = run.position; at < end; at++) {
        if (run.oids[at] !== oid) continue
        run.position = at + 1
        return run
      }
    }
    return undefined
  }
}

const TIME = 0
const TICKETS = 1

/** A logical clock that all threads of a workload share, so that "ended before it began" is a fact and not a measurement. */
export class SharedClock {
  readonly memory: SharedArrayBuffer
  readonly #cells: Int32Array

  constructor(memory = new SharedArrayBuffer(8)) {
    this.memory = memory
    this.#cells = new Int32Array(memory)
  }

  /** A time later than every one given before. */
  tick(): number {
    return Atomics.add(this.#cells, TIME, 1)
  }

  /** The next of the numbers from 0 that are shared out among the clients. */
  ticket(): number {
    return Atomics.add(this.#cells, TICKETS, 1)
  }
}

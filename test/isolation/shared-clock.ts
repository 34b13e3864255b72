import type { Clock } from './clock.js'

const TIME = 0
const TICKETS = 1

/** A logical clock that all threads of a workload share. */
export class SharedClock implements Clock {
  readonly memory: SharedArrayBuffer
  readonly #cells: Int32Array

  constructor(memory = new SharedArrayBuffer(8)) {
    this.memory = memory
    this.#cells = new Int32Array(memory)
  }

  tick(): number {
    return Atomics.add(this.#cells, TIME, 1)
  }

  ticket(): number {
    return Atomics.add(this.#cells, TICKETS, 1)
  }
}

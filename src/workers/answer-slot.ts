import type { Tid } from '../core/oid.js'

const STATE = 0
const TID = 1

/** Size of a slot's memory. */
export const ANSWER_SLOT_BYTES = 16

const IDLE = 0
const EXPECTED = 1
const ANSWERED = 2

/**
 * A shortcut for the answer to one commit. Waking a thread's event loop takes longer than a commit that is not
 * synced; so a client with only one commit under way looks here for a moment before it goes back to its event loop.
 *
 * The client expects before it sends. Whichever of `answer` and the end of `take` changes the state first decides
 * whether the answer comes this way or as a message.
 */
export class AnswerSlot {
  readonly #state: Int32Array
  readonly #tid: BigInt64Array

  constructor(memory: SharedArrayBuffer) {
    this.#state = new Int32Array(memory)
    this.#tid = new BigInt64Array(memory)
  }

  /** By the client, before it sends its only commit. */
  expect(): void {
    Atomics.store(this.#state, STATE, EXPECTED)
  }

  /** By the coordinator. False if nobody looks, so that a message must be sent. */
  answer(tid: Tid): boolean {
    if (Atomics.load(this.#state, STATE) !== EXPECTED) return false
    Atomics.store(this.#tid, TID, BigInt(tid))
    return Atomics.compareExchange(this.#state, STATE, EXPECTED, ANSWERED) === EXPECTED
  }

  /** By the client: looks for the answer for up to `patienceMs`. Undefined if it will come as a message. */
  take(patienceMs: number): Tid | undefined {
    const until = performance.now() + patienceMs
    while (Atomics.load(this.#state, STATE) === EXPECTED && performance.now() < until);
    const answered = Atomics.exchange(this.#state, STATE, IDLE) === ANSWERED
    return answered ? Number(Atomics.load(this.#tid, TID)) : undefined
  }
}

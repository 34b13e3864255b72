import type { Tid } from '../../src/core/oid.js'
import type { Balance } from './ledger.js'
import type { VictimMessage } from './victim-messages.js'

/** Keeps account of what a file must hold, from what its victims have told. */
export class Books {
  /** How many commits of each writer must be there. */
  readonly #least: number[]
  /** How many may be there: one more if the acknowledgement may have been cut off. */
  readonly #most: number[]
  #tid: Tid
  acknowledged = 0
  /** Commits that were found without having been acknowledged. */
  survivors = 0

  constructor(writers: number, createdAt: Tid) {
    this.#least = Array.from({ length: writers }, () => 0)
    this.#most = [...this.#least]
    this.#tid = createdAt
  }

  /**
   * Enters all that a victim has told.
   *
   * @throws Error if what it found is not what it should have found
   */
  enter(messages: readonly VictimMessage[]): void {
    for (const message of messages) {
      if (message.kind === 'opened') {
        this.recovered(message)
        for (const [writer, number] of message.numbers.entries()) this.#most[writer] = number + 1
      } else if (message.kind === 'committed') this.#commit(message)
    }
  }

  /** Enters what a reader has seen. It need not see commits that nobody was told of, but a writer may find them later. */
  read({ tid, numbers }: Balance): void {
    for (const [writer, number] of numbers.entries()) {
      const [least, most] = [this.#least[writer] ?? 0, this.#most[writer] ?? 0]
      if (number < least || number > most) {
        throw new Error(
          `Writer ${writer} has committed ${least} to ${most} times, and ${number} were found (tid ${tid}).`,
        )
      }
      this.survivors += number - least
      this.#least[writer] = number
    }
    if (tid < this.#tid) throw new Error(`Transaction ${this.#tid} was acknowledged, and the newest found is ${tid}.`)
    this.#tid = tid
  }

  /** Enters what was found by whoever has opened the file for writing: what is not there now may never come back. */
  recovered(balance: Balance): void {
    this.read(balance)
    for (const [writer, number] of balance.numbers.entries()) this.#most[writer] = number
  }

  #commit({ writer, number, tid }: VictimMessage & { kind: 'committed' }): void {
    if (number !== this.#most[writer]) throw new Error(`Writer ${writer} has jumped to ${number}.`)
    this.#least[writer] = number
    this.#most[writer] = number + 1
    this.#tid = Math.max(this.#tid, tid)
    this.acknowledged++
  }
}

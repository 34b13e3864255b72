import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Isolation } from '../../src/core/connection-options.js'
import type { Database } from '../../src/core/database.js'
import { ConflictError } from '../../src/core/errors.js'
import { Random } from '../../src/testing/random.js'
import type { Clock } from './clock.js'
import type { Operation, Outcome, Transaction } from './history.js'
import { ACTIVE_LISTS, append, type Lists, listName, read } from './lists.js'

/** What every client of a workload is to do. It passes through `workerData`. */
export interface ClientOptions {
  readonly seed: number
  /** Of all clients of all threads together. */
  readonly transactions: number
  readonly isolation: Isolation
}

const MAX_OPERATIONS = 4

/** Objects that a client's cache holds: few, so that much is loaded anew, or all, so that much must be invalidated. */
const CACHE_SIZES = [2, 1000]

/** What one transaction will do; `append` of each step is undefined for a read. */
interface Plan {
  readonly steps: readonly { readonly list: string; readonly append: number | undefined }[]
  readonly aborts: boolean
  readonly pauses: readonly number[]
}

/** Runs work in a transaction, and commits it unless the work throws. */
type Attempt = (work: (root: Lists) => Promise<void>) => Promise<void>

/** Thrown to leave a transaction without a commit. */
class DeliberateAbort extends Error {}

/** One sequence of transactions, which other clients run beside. */
export class Client {
  readonly #database: Database<Lists>
  readonly #clock: Clock
  readonly #options: ClientOptions
  readonly #random: Random
  readonly #name: string
  readonly #number: number

  /** @param number differs from that of every other client of the workload */
  constructor(database: Database<Lists>, clock: Clock, options: ClientOptions, number: number) {
    this.#database = database
    this.#clock = clock
    this.#options = options
    this.#random = new Random(options.seed + number * 7919)
    this.#name = `T${number}`
    this.#number = number
  }

  /** Runs transactions until all clients together have run as many as they should. */
  async run(): Promise<Transaction[]> {
    const transactions: Transaction[] = []
    // Every third client borrows connections from the database, the others have one of their own.
    const attempt = this.#number % 3 === 0 ? this.#attemptPooled : await this.#ownConnection()
    for (;;) {
      const ticket = await this.#clock.ticket()
      if (ticket >= this.#options.transactions) return transactions
      transactions.push(await this.#transact(ticket, attempt))
    }
  }

  async #ownConnection(): Promise<Attempt> {
    const { isolation } = this.#options
    const connection = await this.#database.connect({ isolation, cacheSize: this.#random.pick(CACHE_SIZES) })
    return async (work) => {
      try {
        await work(connection.root)
        await connection.commit()
      } catch (error) {
        connection.abort()
        throw error
      }
    }
  }

  readonly #attemptPooled: Attempt = async (work) => {
    const { isolation } = this.#options
    await this.#database.transact(work, { isolation, retries: 0 })
  }

  async #transact(ticket: number, attempt: Attempt): Promise<Transaction> {
    const plan = this.#plan(ticket)
    const operations: Operation[] = []
    let outcome: Outcome = 'committed'
    const began = this.#clock.tick()
    try {
      await attempt((root) => perform(root, plan, operations))
    } catch (error) {
      if (!(error instanceof ConflictError || error instanceof DeliberateAbort)) throw error
      outcome = 'aborted'
    }
    return { name: `${this.#name}.${ticket}`, operations, outcome, began, ended: this.#clock.tick() }
  }

  #plan(ticket: number): Plan {
    const random = this.#random
    const onlyReads = random.below(4) === 0
    const steps = Array.from({ length: 1 + random.below(MAX_OPERATIONS) }, (_, i) => ({
      list: listName(ticket, random.below(ACTIVE_LISTS)),
      append: onlyReads || random.below(2) === 0 ? undefined : ticket * MAX_OPERATIONS + i,
    }))
    return { steps, aborts: random.below(12) === 0, pauses: steps.map(() => random.below(4)) }
  }
}

async function perform(root: Lists, { steps, pauses, aborts }: Plan, operations: Operation[]): Promise<void> {
  for (const [i, { list, append: value }] of steps.entries()) {
    if (value === undefined) {
      operations.push({ kind: 'read', list, values: read(root, list) })
    } else {
      append(root, list, value)
      operations.push({ kind: 'append', list, value })
    }
    for (let turns = pauses[i] ?? 0; turns > 0; turns--) await nextTurn()
  }
  if (aborts) throw new DeliberateAbort('The plan says so.')
}

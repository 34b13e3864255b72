import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { ConflictError } from '../../src/core/errors.js'
import type { Root } from '../../src/open.js'
import { Random } from '../../src/testing/random.js'
import { Counter, type RaceModelName, raceModels } from './race-models.js'

export type Counters = Root<Record<string, Counter>>

export interface RaceOptions {
  readonly model: RaceModelName
  readonly seed: number
  /** Of one that only reads, at most as many. */
  readonly transactions: number
  /** Of 10 transactions so many change something. */
  readonly changes: number
}

/** What one client has met with. */
export interface RaceResult {
  readonly checks: number
  readonly commits: number
  readonly conflicts: number
  /** How often a transaction began in another state than the one before. */
  readonly news: number
}

/** Few objects stay loaded, so that most are loaded anew; or all stay, so that they must be invalidated. */
const CACHE_SIZES = [1, 2, 5, 1000]

/** A connection is closed after so many transactions, and another one made. */
const CONNECTION_TURNS = 25

/** Puts the counters of a model into a new database. */
export async function createCounters(database: Database<Counters>, model: RaceModelName): Promise<void> {
  await database.transact((root) => {
    for (const [i, value] of raceModels[model].initial.entries()) {
      root.set(String(i), Object.assign(new Counter(), { value }))
    }
  })
}

/**
 * Runs clients beside each other. Those that only read go on until all writers are done, those of other threads
 * included.
 *
 * @param writers how many are still at work, in shared memory
 */
export async function runClients(
  database: Database<Counters>,
  clients: readonly RaceOptions[],
  writers: Int32Array,
): Promise<RaceResult[]> {
  return Promise.all(
    clients.map(async (options) => {
      if (options.changes === 0) return runClient(database, options, () => Atomics.load(writers, 0) === 0)
      try {
        return await runClient(database, options)
      } finally {
        Atomics.sub(writers, 0, 1)
      }
    }),
  )
}

/** Runs transactions that check the invariant and, some of them, change the counters. Stops early if `isDone`. */
export async function runClient(
  database: Database<Counters>,
  options: RaceOptions,
  isDone: (soFar: RaceResult) => boolean = () => false,
): Promise<RaceResult> {
  const random = new Random(options.seed)
  const result = { checks: 0, commits: 0, conflicts: 0, news: 0 }
  let last = ''
  for (let done = 0; done < options.transactions && !isDone(result); ) {
    await using connection = await database.connect({ cacheSize: random.pick(CACHE_SIZES) })
    for (let turn = 0; turn < CONNECTION_TURNS && done < options.transactions && !isDone(result); turn++, done++) {
      const state = (await check(connection, options.model, random)).join()
      result.checks++
      if (state !== last) result.news++
      last = state
      if (random.below(10) >= options.changes) connection.abort()
      else if (await change(connection, options.model, random)) result.commits++
      else result.conflicts++
      await nextTurn()
    }
  }
  return result
}

/** Reads the counters one after the other, in any order, while others commit. */
async function check(connection: Connection<Counters>, name: RaceModelName, random: Random): Promise<number[]> {
  const model = raceModels[name]
  const values: number[] = []
  const left = model.initial.map((_, i) => i)
  while (left.length > 0) {
    const [i] = left.splice(random.below(left.length), 1) as [number]
    values[i] = counterOf(connection, i).value
    for (let turns = random.below(3); turns > 0; turns--) await nextTurn()
  }
  if (!model.holds(values)) throw new Error(`The invariant is broken at transaction ${connection.tid}: ${values}.`)
  return values
}

/** Whether the change was committed. */
async function change(connection: Connection<Counters>, name: RaceModelName, random: Random): Promise<boolean> {
  const counters = raceModels[name].initial.map((_, i) => counterOf(connection, i))
  raceModels[name].change(counters, random)
  try {
    await connection.commit()
    return true
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error
    connection.abort()
    return false
  }
}

function counterOf(connection: Connection<Counters>, i: number): Counter {
  const counter = connection.root.get(String(i))
  if (counter === undefined) throw new Error(`There is no counter ${i}.`)
  return counter
}

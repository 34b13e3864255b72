import { checkContents, checkState, demand, type Situation } from './check-state.js'
import { crashStates } from './crash-states.js'
import { type Engine, realEngine } from './engine.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { Refused } from './packing.js'
import { Random } from './random.js'
import type { Fault, Operation, SimulatedDisk } from './simulated-disk.js'
import { PATH, randomSettings, Workload } from './workload.js'

const STEPS = 14
const STATES_AFTER_FAILURE = 3

/** Which operation of a workload fails, and how. */
export interface Failure {
  /** Of the workload. */
  readonly seed: number
  /** Counted from 0. */
  readonly operation: number
  readonly code: Fault['code']
  /** False: only that one fails. True: so do all that follow, until the program is started again. */
  readonly forGood: boolean
}

/** What the failure met. */
export type FailureEffect =
  /** The workload is over before so many operations. */
  | 'none'
  /** The storage did without: a hint, or a checkpoint that can wait. */
  | 'tolerated'
  /** Opening or closing threw. */
  | 'thrown'
  /** Commits were refused. */
  | 'refused'

/**
 * Runs a workload on a disk that fails, and then looks at what is left: in the same process, after a new start,
 * and after a power cut.
 *
 * @throws Violation if anything acknowledged is lost, anything failed is seen, or anything is tried twice
 */
export async function runWithFailure(failure: Failure, engine: Engine = realEngine): Promise<FailureEffect> {
  const random = new Random(failure.seed)
  const settings = randomSettings(random)
  const workload = new Workload(random.fork(), settings, engine)
  const { disk } = workload
  const failed = failAt(disk, failure, random.fork())
  let effect: FailureEffect = 'tolerated'
  try {
    await workload.run(STEPS)
    if (failed() === undefined) return 'none'
  } catch (error) {
    const operation = failed()
    if (operation === undefined) throw error
    effect = error instanceof Refused ? 'refused' : 'thrown'
    if (error instanceof Refused) checkRefusal(error, workload, operation)
    else demandNamed(error)
  }
  disk.revive()
  for (const { image } of crashStates(disk, random, STATES_AFTER_FAILURE)) {
    checkState(image, workload.situation, random.fork())
  }
  startAgain(disk, workload.situation, failure, random)
  return effect
}

/** @returns what tells which operation has failed first */
function failAt(disk: SimulatedDisk, { operation, code, forGood }: Failure, random: Random) {
  let count = 0
  let first: Operation | undefined
  disk.onFault = (found) => {
    const position = count++
    if (position < operation || (position > operation && !forGood)) return undefined
    first ??= found
    const writtenBytes = found.type === 'write' ? random.below((found.size ?? 0) + 1) : 0
    return { code, writtenBytes, keptChanges: random.below(2) }
  }
  return () => first
}

/** All commits that waited get the same error, nobody sees them, nothing is tried again, and reading goes on. */
function checkRefusal({ outcomes }: Refused, workload: Workload, failed: Operation): void {
  const { disk, oracle, storage } = workload
  if (storage === undefined) throw new Error('Without a storage there is no refusal.')
  const [first] = outcomes
  for (const { error, cause } of outcomes as readonly Extract<typeof first, { error: object }>[]) {
    demand(error?.code === 'PERDURE_POISONED', () => `A commit that waited was answered with ${JSON.stringify(error)}.`)
    demand(error.message === first?.error?.message, () => 'Commits of one batch were refused in different words.')
    demand(/^PERDURE_(IO|NO_SPACE)$/.test(cause?.code ?? ''), () => `The cause is ${JSON.stringify(cause)}.`)
  }
  demand(storage.tid === oracle.acknowledged, () => `Transaction ${storage.tid} is visible; it was not acknowledged.`)
  // A pack that failed when the new journal had its place already counts only after a new start.
  checkContents(storage, oracle.fork(storage.tid), new Random(1))

  const before = disk.operations.length
  const [next] = storage.commit([{ base: storage.tid, reads: [], writes: [{ oid: 0, data: new Uint8Array(8) }] }])
  demand(next?.error?.code === 'PERDURE_POISONED', () => `The next commit gave ${JSON.stringify(next)}.`)
  for (let i = 0; i < 3; i++) storage.work()
  storage.close()
  // It may clear away a checkpoint that was begun.
  const later = disk.operations.slice(before).filter(({ type }) => type !== 'unlink')
  demand(later.length === 0, () => `A poisoned storage went on: ${JSON.stringify(later)}`)
  checkNotRetried(disk, failed)
}

/** After a failure of the journal only one thing is done to it: what was not acknowledged is taken back. */
function checkNotRetried(disk: SimulatedDisk, failed: Operation): void {
  if (failed.path !== PATH || failed.type === 'truncate' || failed.type === 'rename') return
  const later = disk.operations.slice(disk.operations.indexOf(failed) + 1).filter(({ path }) => path === PATH)
  demand(later.length <= 1 && later.every(({ type }) => type === 'truncate'), () => {
    return `After a failed ${failed.type} of the journal came ${JSON.stringify(later)}.`
  })
}

function demandNamed(error: unknown): void {
  const { code } = error as { code?: string }
  demand(/^PERDURE_(IO|NO_SPACE|POISONED)$/.test(code ?? ''), () => `Not a named error of the disk: ${String(error)}`)
}

/**
 * A new process, but no power cut: reads still show what the failed sync has dropped. Whatever it opens with, it
 * must have made safe, because a sync by itself no longer does.
 */
function startAgain(disk: SimulatedDisk, situation: Situation, { forGood }: Failure, random: Random): void {
  const { engine, settings, oracle } = situation
  if (forGood) {
    try {
      new MainThreadStorage(disk, settings, engine)
    } catch (error) {
      demandNamed(error)
    }
  }
  disk.onFault = undefined
  const storage = new MainThreadStorage(disk, settings, engine)
  demand(storage.tid >= oracle.acknowledged, () => `A new start finds ${storage.tid}, not ${oracle.acknowledged}.`)
  const survivors = oracle.fork(storage.tid)
  checkContents(storage, survivors, random)
  const now: Situation = { ...situation, oracle: survivors, created: true, floor: storage.tid }
  for (const { image } of crashStates(disk, random, STATES_AFTER_FAILURE)) checkState(image, now, random.fork())
}

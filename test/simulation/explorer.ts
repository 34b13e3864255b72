import type { CheckpointUse } from '../../src/journal/recovery.js'
import type { Durability } from '../../src/workers/messages.js'
import { checkState, type Outcome, type Situation } from './check-state.js'
import { crashStates } from './crash-states.js'
import { type Engine, realEngine } from './engine.js'
import { Random } from './random.js'
import type { DiskImage, SimulatedDisk } from './simulated-disk.js'
import { randomSettings, Workload } from './workload.js'

export interface ExplorerOptions {
  readonly seed: number
  /** How many different states to look at. */
  readonly states: number
  readonly engine?: Engine
  /** Instead of one of the two at random for each workload. */
  readonly durability?: Durability
  /** Random states for each operation, besides the extreme ones. */
  readonly statesPerOperation?: number
  /** Called now and then. */
  readonly onProgress?: (counts: ExplorerCounts) => void
}

/** What an exploration has done. */
export interface ExplorerCounts {
  workloads: number
  /** Packs that were finished in the workloads. */
  packs: number
  /** Moments at which the power was cut. */
  crashPoints: number
  /** Different states that were opened and checked, of both kinds below. */
  states: number
  /** Left by a power cut while the database was used. */
  firstStates: number
  /** Left by a second power cut, while the database recovered from a first one, or was used after that. */
  secondStates: number
  /** States with a torn transaction at the end, which was cut off. */
  tornTails: number
  /** States in which a commit had survived that nobody had been told of. */
  unacknowledged: number
  /** States by what recovery could do with the checkpoint. */
  readonly checkpoints: Record<CheckpointUse, number>
}

function noCounts(): ExplorerCounts {
  return {
    workloads: 0,
    packs: 0,
    crashPoints: 0,
    states: 0,
    firstStates: 0,
    secondStates: 0,
    tornTails: 0,
    unacknowledged: 0,
    checkpoints: { used: 0, missing: 0, damaged: 0, foreign: 0 },
  }
}

/** The counts in words. */
export function describeCounts(counts: ExplorerCounts): string {
  const { states, firstStates, secondStates, crashPoints, workloads, packs, tornTails, unacknowledged, checkpoints } =
    counts
  const uses = Object.entries(checkpoints).map(([use, count]) => `${use} ${count}`)
  return [
    `${states} different states: ${firstStates} after one power cut, ${secondStates} after two, at ${crashPoints} moments of ${workloads} workloads with ${packs} packs`,
    `${tornTails} with a torn tail, ${unacknowledged} with a commit that survived without having been acknowledged; checkpoint ${uses.join(', ')}`,
  ].join('; ')
}

/** A state that breaks a promise, and how to get there again. */
export interface Finding {
  readonly message: string
  readonly seed: number
  readonly workload: number
  readonly crashPoint: number
  /** How the state came about: for a second crash, both. */
  readonly crashes: readonly string[]
  readonly operations: readonly string[]
}

/** The chance that the power is cut a second time, in all ways, after a state. */
const SECOND_CRASH_CHANCE = 0.02
const SECOND_STATES_PER_OPERATION = 2

/** Short workloads come often to creation and the first commits, long ones to everything else. */
const STEPS = [1, 5, 15, 40]

/** Runs workloads and cuts the power after each operation, until enough states have been seen. */
export class Explorer {
  readonly counts = noCounts()
  finding: Finding | undefined
  readonly #options: ExplorerOptions & { engine: Engine; statesPerOperation: number }
  readonly #random: Random
  readonly #seen = new Set<string>()

  constructor(options: ExplorerOptions) {
    this.#options = { engine: realEngine, statesPerOperation: 16, ...options }
    this.#random = new Random(options.seed)
  }

  /** Returns what is wrong, or undefined if nothing was found. */
  async run(): Promise<Finding | undefined> {
    while (!this.#isDone()) {
      this.counts.workloads++
      await this.#runWorkload()
      this.#options.onProgress?.(this.counts)
    }
    return this.finding
  }

  #isDone(): boolean {
    return this.finding !== undefined || this.counts.states >= this.#options.states
  }

  async #runWorkload(): Promise<void> {
    const random = this.#random.fork()
    const { engine, durability } = this.#options
    const settings = randomSettings(random)
    const workload = new Workload(random.fork(), durability ? { ...settings, durability } : settings, engine)
    const crash = () => this.#crash(workload.disk, () => workload.situation, random)
    workload.disk.onOperation = crash
    try {
      await workload.run(random.pick(STEPS), crash)
    } catch (error) {
      this.#report(error, workload.disk, [])
    }
    this.counts.packs += workload.packs
  }

  /** Cuts the power, in many ways. Nothing is thrown, because the code under test stands on the stack. */
  #crash(disk: SimulatedDisk, situation: () => Situation, random: Random): void {
    if (this.#isDone()) return
    this.counts.crashPoints++
    const now = situation()
    for (const { image, description } of crashStates(disk, random, this.#options.statesPerOperation)) {
      if (this.#isDone()) return
      if (!this.#isNew(image, now)) continue
      this.counts.firstStates++
      this.#check(image, now, random, disk, [description])
    }
  }

  #check(image: DiskImage, situation: Situation, random: Random, disk: SimulatedDisk, crashes: string[]): void {
    this.counts.states++
    const mayCrashAgain = crashes.length === 1 && random.chance(SECOND_CRASH_CHANCE)
    const watch = (after: SimulatedDisk, then: Situation) => this.#crashAgain(after, then, random, crashes)
    try {
      this.#count(checkState(image, situation, random.fork(), mayCrashAgain ? watch : undefined))
    } catch (error) {
      this.#report(error, disk, crashes)
    }
  }

  #count({ recovery, unacknowledged }: Outcome): void {
    this.counts.checkpoints[recovery.checkpoint]++
    if (recovery.cutAt !== undefined) this.counts.tornTails++
    if (unacknowledged > 0) this.counts.unacknowledged++
  }

  #crashAgain(disk: SimulatedDisk, situation: Situation, random: Random, crashes: readonly string[]): void {
    for (const { image, description } of crashStates(disk, random, SECOND_STATES_PER_OPERATION)) {
      if (this.#isDone()) return
      if (!this.#isNew(image, situation)) continue
      this.counts.secondStates++
      this.#check(image, situation, random, disk, [...crashes, description])
    }
  }

  /** Whether this state has not been looked at yet with the same demands. */
  #isNew(image: DiskImage, { floor, created }: Situation): boolean {
    const files = [...image].map(([name, content]) => `${name} ${content.fingerprint()}`)
    const key = `${floor} ${created} ${files.sort().join(' ')}`
    return this.#seen.size !== this.#seen.add(key).size
  }

  #report(error: unknown, disk: SimulatedDisk, crashes: readonly string[]): void {
    this.finding ??= {
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      seed: this.#options.seed,
      workload: this.counts.workloads,
      crashPoint: this.counts.crashPoints,
      crashes,
      operations: disk.operations.slice(-12).map((operation) => JSON.stringify(operation)),
    }
  }
}

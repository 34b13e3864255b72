import type { Oid, Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import type { CommitRequest } from '../../src/core/storage.js'
import type { CommitOutcome, CoordinatorSettings } from '../../src/workers/messages.js'
import { checkContents, demand, type Situation } from './check-state.js'
import { type Engine, realEngine } from './engine.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { type Expectation, Oracle } from './oracle.js'
import type { Random } from './random.js'
import { SimulatedDisk } from './simulated-disk.js'

export const PATH = '/simulated/database'

/** Settings that make everything happen often: growth of the file, checkpoints, checkpoints that overlap commits. */
export function randomSettings(random: Random): CoordinatorSettings {
  return {
    path: PATH,
    durability: random.chance(0.8) ? 'fsync' : 'os',
    loadIndex: random.chance(0.2),
    checkpointBytes: random.pick([1200, 3000, 10_000]),
    preallocationBytes: random.pick([0, 1000, 4096, 20_000]),
  }
}

/** Commits were refused because of the disk. */
export class Refused extends Error {
  constructor(readonly outcomes: readonly CommitOutcome[]) {
    super(JSON.stringify(outcomes))
  }
}

/** A program that uses a database at random, on a simulated disk, and knows what it should hold. */
export class Workload {
  readonly disk: SimulatedDisk
  oracle = new Oracle()
  storage: MainThreadStorage | undefined
  readonly #random: Random
  readonly #engine: Engine
  readonly #settings: CoordinatorSettings
  #created = false
  /** With durability 'os': transactions up to here have been synced by opening or closing. */
  #safe: Tid = 0

  constructor(random: Random, settings: CoordinatorSettings, engine = realEngine) {
    this.#random = random
    this.#settings = settings
    this.#engine = engine
    this.disk = new SimulatedDisk(new Map(), engine.fileError)
  }

  /** What must hold if the power goes now. */
  get situation(): Situation {
    const { oracle } = this
    const seen = Math.max(oracle.acknowledged, this.storage?.tid ?? 0)
    return {
      engine: this.#engine,
      settings: this.#settings,
      oracle,
      created: this.#created,
      floor: this.#settings.durability === 'fsync' ? seen : this.#safe,
    }
  }

  /**
   * @param onAnswers called after each step, when what it has promised must hold
   * @throws Refused
   */
  run(steps: number, onAnswers: () => void = () => {}): void {
    if (this.#random.chance(0.5)) this.#killSoon()
    for (let i = -1; i < steps; i++) {
      this.#untilKilled(() => (this.storage === undefined ? this.#open() : this.#step()))
      onAnswers()
    }
    this.#untilKilled(() => this.#close())
    onAnswers()
  }

  #open(): void {
    const storage = new MainThreadStorage(this.disk, this.#settings, this.#engine)
    this.storage = storage
    this.#created = true
    this.#safe = storage.tid
    const { newest } = this.oracle
    demand(storage.tid === newest, () => `Opening found ${storage.tid} transactions, not ${newest}.`)
  }

  /** The process is killed before one of its next operations on the disk. */
  #killSoon(): void {
    this.disk.killAfter(this.#random.below(8))
  }

  #untilKilled(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (!this.disk.dead) throw error
    }
    if (this.disk.dead) this.#startAgain()
  }

  /** After a kill, what was acknowledged or seen is there; what was being committed may be. */
  #startAgain(): void {
    const least = Math.max(this.oracle.acknowledged, this.storage?.tid ?? 0)
    this.storage = undefined
    this.disk.revive()
    const storage = new MainThreadStorage(this.disk, this.#settings, this.#engine)
    const { tid } = storage
    const { newest } = this.oracle
    demand(tid >= least, () => `After a kill there are ${tid} transactions, not ${least}.`)
    demand(tid <= newest, () => `After a kill there are ${tid} transactions; only ${newest} were made.`)
    this.oracle = this.oracle.fork(tid)
    this.oracle.acknowledge(tid)
    this.storage = storage
    this.#created = true
    this.#safe = tid
    checkContents(storage, this.oracle, this.#random)
  }

  #step(): void {
    const kind = this.#random.below(21)
    if (this.oracle.newest === 0) this.#commit([this.#request([0])])
    else if (kind < 14) this.#commit(this.#batch())
    else if (kind < 17) this.#required().work()
    else if (kind < 18) this.#skipOids()
    else if (kind < 19) this.#closeAndOpen()
    else if (kind < 20) this.#killAndOpen()
    else this.#killSoon()
  }

  #required(): MainThreadStorage {
    if (this.storage === undefined) throw new Error('The workload has no open storage.')
    return this.storage
  }

  #batch(): CommitRequest[] {
    return Array.from({ length: this.#random.pick([1, 1, 1, 2, 4]) }, () => this.#request(this.#writtenOids()))
  }

  #writtenOids(): Oid[] {
    const known = this.oracle.oids()
    const oids = Array.from({ length: this.#random.below(4) }, () =>
      this.#random.chance(0.5) ? this.#random.pick(known) : this.#required().view.state.add('nextOid', 1),
    )
    return [...new Set(oids)]
  }

  /** A transaction of some connection, which may have begun a while ago. */
  #request(oids: readonly Oid[]): CommitRequest {
    const random = this.#random
    const { tid } = this.#required()
    const base = random.chance(0.8) ? tid : random.between(Math.max(0, tid - 3), tid)
    const known = this.oracle.oids()
    const reads = known.length > 0 && random.chance(0.3) ? [random.pick(known)] : []
    const writes = oids.map((oid) => ({ oid, data: this.#data() }))
    return { base, reads, writes, note: random.chance(0.2) ? 'a note' : '' }
  }

  #data(): Uint8Array {
    const size = this.#random.pick([0, 20, 100, 100, 300, 600, 1500, 9000])
    return encodeRecord('Item', [], this.#random.bytes(size))
  }

  #commit(batch: CommitRequest[]): void {
    const storage = this.#required()
    const expected = this.oracle.submit(batch)
    const outcomes = storage.commit(batch)
    if (outcomes.some(({ error }) => error !== undefined)) throw new Refused(outcomes)
    outcomes.forEach((outcome, i) => {
      demandExpected(outcome, expected[i])
      if (outcome.tid !== undefined) this.oracle.acknowledge(outcome.tid)
    })
  }

  /** So that the index has several pages. */
  #skipOids(): void {
    this.#required().view.state.add('nextOid', 700)
  }

  #close(): void {
    this.#required().close()
    this.storage = undefined
    this.#safe = this.oracle.acknowledged
  }

  #closeAndOpen(): void {
    checkContents(this.#required(), this.oracle, this.#random)
    this.#close()
    this.#open()
  }

  /** What the dead process had written is in the cache of the operating system; not all of it is on the disk. */
  #killAndOpen(): void {
    this.storage = undefined
    this.#open()
  }
}

function demandExpected(outcome: CommitOutcome, expected: Expectation | undefined): void {
  const { tid, conflicts } = outcome
  const found = conflicts === undefined ? { tid } : { conflicts: conflicts.map(({ oid }) => oid) }
  demand(JSON.stringify(found) === JSON.stringify(expected), () => {
    return `A commit gave ${JSON.stringify(outcome)} where ${JSON.stringify(expected)} was expected.`
  })
}

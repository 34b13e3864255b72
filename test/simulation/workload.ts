import type { Oid, Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { CommitRequest, Snapshot } from '../../src/core/storage.js'
import type { SwitchOutcome, SwitchRequest } from '../../src/journal/packed-base.js'
import type { CommitOutcome, CoordinatorSettings } from '../../src/workers/messages.js'
import { checkContents, demand, type Situation } from './check-state.js'
import { type Engine, realEngine } from './engine.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { type Expectation, Oracle } from './oracle.js'
import { checkFailedPack, errorCode, Refused, randomPackSettings } from './packing.js'
import type { Random } from './random.js'
import { SimulatedDisk } from './simulated-disk.js'
import type { SteppedPack } from './stepped-pack.js'

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

interface HeldSnapshot {
  readonly snapshot: Snapshot
  readonly oracle: Oracle
}

/** A program that uses a database at random, on a simulated disk, and knows what it should hold. */
export class Workload {
  readonly disk: SimulatedDisk
  oracle = new Oracle()
  storage: MainThreadStorage | undefined
  /** How many packs have taken the place of the old journal. */
  packs = 0
  /** A packed journal on its way. */
  #pack: SteppedPack | undefined
  readonly #snapshots: HeldSnapshot[] = []
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
  async run(steps: number, onAnswers: () => void = () => {}): Promise<void> {
    if (this.#random.chance(0.5)) this.#killSoon()
    for (let i = -1; i < steps; i++) {
      await this.#untilKilled(() => (this.storage === undefined ? this.#open() : this.#step()))
      onAnswers()
    }
    await this.#untilKilled(() => this.#close())
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

  async #untilKilled(action: () => void | Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (!this.disk.dead) throw error
    }
    if (this.disk.dead) await this.#startAgain()
  }

  /** After a kill, what was acknowledged or seen is there; what was being committed may be. */
  async #startAgain(): Promise<void> {
    await this.#forgetHandles()
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

  async #step(): Promise<void> {
    const kind = this.#random.below(32)
    if (this.oracle.newest === 0) this.#commit([this.#request([0])])
    else if (kind < 14) this.#commit(this.#batch())
    else if (kind < 17) this.#required().work()
    else if (kind < 18) this.#skipOids()
    else if (kind < 19) await this.#closeAndOpen()
    else if (kind < 20) await this.#killAndOpen()
    else if (kind < 21) this.#killSoon()
    else if (kind < 30) await this.#goOnPacking()
    else if (kind < 31) this.#hold()
    else this.#checkSnapshots()
  }

  /** What was open in a process that has ended. */
  async #forgetHandles(): Promise<void> {
    await this.#pack?.kill()
    this.#pack = undefined
    this.#snapshots.length = 0
  }

  /** Begins a pack, or brings it further by one task or by all that are left. */
  async #goOnPacking(): Promise<void> {
    const random = this.#random
    this.#pack ??= this.#beginPack()
    const pack = this.#pack
    await pack.step()
    if (random.chance(0.2)) await pack.finish()
    this.#lookAtPack()
  }

  #lookAtPack(): void {
    const end = this.#pack?.end
    if (end === undefined || this.disk.dead) return
    this.#pack = undefined
    if ('result' in end) this.packs++
    else checkFailedPack(end.error, this.disk, PATH)
  }

  #beginPack(): SteppedPack {
    const storage = this.#required()
    const settings = randomPackSettings(this.#random, this.oracle.historyFrom, storage.tid)
    return storage.pack(settings, (request) => this.#switchTo(request))
  }

  #switchTo(request: SwitchRequest): SwitchOutcome {
    const tid = this.oracle.submitPack(request.base.header.historyFrom)
    let outcome: SwitchOutcome
    try {
      outcome = this.#required().switchTo(request)
    } catch (error) {
      if (!this.disk.dead && errorCode(error) !== 'PERDURE_POISONED') this.oracle = this.oracle.fork(tid - 1)
      throw error
    }
    if (outcome.switched) {
      demand(outcome.tid === tid, () => `The pack is transaction ${outcome.tid}, not ${tid}.`)
      this.oracle.acknowledge(tid)
    } else {
      this.oracle = this.oracle.fork(tid - 1)
    }
    return outcome
  }

  #hold(): void {
    this.#snapshots.push({ snapshot: this.#required().snapshot(), oracle: this.oracle.fork() })
  }

  /** Open snapshots see what they saw, whatever has been packed. */
  #checkSnapshots(): void {
    for (const { snapshot, oracle } of this.#snapshots) {
      for (const oid of oracle.oids()) {
        const expected = oracle.find(oid, snapshot.tid)
        const found = snapshot.load(oid)
        demand(found?.tid === expected?.tid, () => `Held at ${snapshot.tid}, object ${oid} is of ${found?.tid}.`)
        const same = found === undefined || Buffer.compare(found.data, expected?.data ?? Buffer.alloc(0)) === 0
        demand(same, () => `Held at ${snapshot.tid}, object ${oid} has wrong bytes.`)
      }
    }
    if (this.#random.chance(0.5)) this.#snapshots.shift()?.snapshot.release()
  }

  #required(): MainThreadStorage {
    if (this.storage === undefined) throw new Error('The workload has no open storage.')
    return this.storage
  }

  #batch(): CommitRequest[] {
    return Array.from({ length: this.#random.pick([1, 1, 1, 2, 4]) }, () => this.#request(this.#writtenOids()))
  }

  #writtenOids(): Oid[] {
    const known = this.oracle.living()
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
    const known = this.oracle.living()
    const reads = known.length > 0 && random.chance(0.3) ? [random.pick(known)] : []
    const writes = oids.map((oid) => ({ oid, data: this.#data(oid, [...known, ...oids]) }))
    return { base, reads, writes, note: random.chance(0.2) ? 'a note' : '' }
  }

  /** The root refers to many objects, so that most of them can be reached, and nobody to some. */
  #data(oid: Oid, targets: readonly Oid[]): Uint8Array {
    const random = this.#random
    const size = random.pick([0, 20, 100, 100, 300, 600, 1500, 9000])
    const count = targets.length === 0 ? 0 : oid === 0 ? random.below(6) : random.below(3)
    const references = Array.from({ length: count }, () => new Reference(random.pick(targets), 'Item'))
    return encodeRecord('Item', references, random.bytes(size))
  }

  #commit(batch: CommitRequest[]): void {
    const storage = this.#required()
    const expected = this.oracle.submit(batch)
    const outcomes = storage.commit(batch)
    // Nobody is left who could have answered.
    if (this.disk.dead) return
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

  async #close(): Promise<void> {
    await this.#pack?.cancel()
    this.#lookAtPack()
    this.#snapshots.length = 0
    this.#required().close()
    this.storage = undefined
    this.#safe = this.oracle.acknowledged
  }

  async #closeAndOpen(): Promise<void> {
    checkContents(this.#required(), this.oracle, this.#random)
    this.#checkSnapshots()
    await this.#close()
    this.#open()
  }

  /** What the dead process had written is in the cache of the operating system; not all of it is on the disk. */
  async #killAndOpen(): Promise<void> {
    this.disk.kill()
    await this.#forgetHandles()
    this.disk.revive()
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

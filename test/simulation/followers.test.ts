import { expect } from 'chai'
import type { Tid } from '../../src/core/oid.js'
import { JournalFollower } from '../../src/journal/follower.js'
import type { JournalView } from '../../src/journal/shared-journal.js'
import { demand } from './check-state.js'
import type { Oracle } from './oracle.js'
import { Random } from './random.js'
import { PATH, randomSettings, Workload } from './workload.js'

const SEEDS = 60
const STEPS = 60

/** A snapshot of a reader, and what it must go on to show. */
interface Held {
  readonly view: JournalView
  readonly tid: Tid
  readonly oracle: Oracle
}

/** A reader in another process, as it were, that looks at any moment between two operations of the writer. */
class Reader {
  /** How often it has gone over to another journal. */
  replacements = 0
  looks = 0
  readonly #workload: Workload
  readonly #random: Random
  readonly #follower: JournalFollower
  readonly #held: Held[] = []
  #tid = 0

  constructor(workload: Workload, random: Random) {
    this.#workload = workload
    this.#random = random
    this.#follower = new JournalFollower(workload.disk, PATH, random.chance(0.5), 64 * 1024)
  }

  look(): void {
    const { oracle } = this.#workload
    const { generation } = this.#follower.shared
    this.#follower.refresh()
    this.looks++
    this.replacements += this.#follower.shared.generation - generation
    const { view } = this.#follower
    const tid = view.state.get('tid')
    demand(tid >= this.#tid, () => `A reader has seen ${this.#tid}, and then ${tid}.`)
    demand(tid >= oracle.acknowledged, () => `A reader sees ${tid}; ${oracle.acknowledged} was acknowledged.`)
    demand(tid <= oracle.newest, () => `A reader sees ${tid}, which was never made.`)
    this.#tid = tid
    const now = { view, tid, oracle: oracle.fork(tid) }
    if (this.#random.chance(0.3)) check(now)
    if (this.#random.chance(0.1)) this.#held.push({ ...now, view: view.retain() })
    if (this.#random.chance(0.1)) this.#letGo()
  }

  #letGo(): void {
    const held = this.#held.shift()
    if (held === undefined) return
    check(held)
    held.view.release()
  }

  close(): void {
    while (this.#held.length > 0) this.#letGo()
    this.#follower.close()
  }
}

function check({ view, tid, oracle }: Held): void {
  for (const oid of oracle.oids()) {
    const expected = oracle.find(oid, tid)
    const offset = view.index.get(oid)
    const found = offset === 0 ? undefined : view.reader.load(oid, offset, tid)
    demand(found?.tid === expected?.tid, () => `A reader at ${tid} sees object ${oid} of ${found?.tid}.`)
    const same = found === undefined || Buffer.compare(found.data, expected?.data ?? Buffer.alloc(0)) === 0
    demand(same, () => `A reader at ${tid} sees wrong bytes of object ${oid}.`)
  }
}

/** Lets a workload run, with readers that look after some of its operations on the disk, and after each answer. */
async function run(seed: number): Promise<{ replacements: number; looks: number }> {
  const random = new Random(seed)
  const workload = new Workload(random.fork(), randomSettings(random))
  const readers: Reader[] = []
  const look = () => {
    const isThere = workload.disk.exists(PATH) && workload.oracle.acknowledged > 0
    if (isThere && (readers.length === 0 || random.chance(0.01))) readers.push(new Reader(workload, random.fork()))
    // Some readers look rarely, so that more than one pack goes by.
    readers.forEach((reader, i) => {
      if (random.chance(i % 2 === 0 ? 0.8 : 0.02)) reader.look()
    })
  }
  workload.disk.onOperation = look
  await workload.run(STEPS, look)
  for (const reader of readers) {
    reader.look()
    reader.close()
  }
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
  return {
    replacements: sum(readers.map(({ replacements }) => replacements)),
    looks: sum(readers.map(({ looks }) => looks)),
  }
}

describe('A reader in another process', () => {
  it('sees all that was acknowledged, and nothing else, at every moment of packs', async function () {
    this.timeout(120_000)
    let replacements = 0
    let looks = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        const counts = await run(seed)
        replacements += counts.replacements
        looks += counts.looks
      } catch (error) {
        throw new Error(`With seed ${seed}: ${String(error)}`, { cause: error })
      }
    }
    console.log(`      seeds 1 to ${SEEDS}: ${looks} looks, ${replacements} journals replaced`)
    expect(replacements).to.be.greaterThan(SEEDS)
  })
})

import { expect } from 'chai'
import { Truncation } from '../../src/storages/truncate-work.js'
import { checkContents, demand } from './check-state.js'
import { crashStates } from './crash-states.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { Random } from './random.js'
import { SimulatedDisk } from './simulated-disk.js'
import { PATH, randomSettings, Workload } from './workload.js'

const SEEDS = 7
const STATES_PER_OPERATION = 12

/** Uses a database at random, truncates it, and cuts the power after each operation of that. */
async function explore(seed: number): Promise<{ whole: number; truncated: number }> {
  const random = new Random(seed)
  const settings = { ...randomSettings(random), durability: 'fsync' } as const
  const workload = new Workload(random.fork(), settings)
  await workload.run(30)
  const { oracle, disk: used } = workload
  const { newest } = oracle
  // What was before the last pack is not in the file; the model would bring it back if it forgot the pack.
  const oldest = Array.from({ length: newest }, (_, i) => i + 1).findLast((at) => oracle.request(at) === undefined) ?? 0
  if (oldest === newest) return { whole: 0, truncated: 0 }
  const tid = random.between(oldest, newest - 1)
  // Half of the databases were not closed: with watermark, preallocated space, and no new checkpoint.
  if (random.chance(0.5)) new MainThreadStorage(used, settings)
  const disk = new SimulatedDisk(used.afterKill())
  const counts = { whole: 0, truncated: 0 }

  const check = (image: ReturnType<SimulatedDisk['afterKill']>, words: string) => {
    const copy = `${PATH}.before-${tid}`
    const storage = new MainThreadStorage(new SimulatedDisk(image), settings)
    try {
      demand([tid, newest].includes(storage.tid), () => `There are ${storage.tid} transactions.`)
      checkContents(storage, oracle.fork(storage.tid), random)
      if (storage.tid === newest) counts.whole++
      else counts.truncated++
      if (storage.tid === newest) return
      demand(image.has(copy), () => 'It is truncated, and there is no copy.')
      const kept = new MainThreadStorage(new SimulatedDisk(image), { ...settings, path: copy })
      demand(kept.tid === newest, () => `The copy has ${kept.tid} transactions.`)
      checkContents(kept, oracle, random)
    } catch (error) {
      throw new Error(`seed ${seed}, after ${disk.operations.length} operations: ${words}`, { cause: error })
    }
  }

  disk.onOperation = () => {
    for (const { image, description } of crashStates(disk, random, STATES_PER_OPERATION)) check(image, description)
  }
  const result = await new Truncation(disk, PATH, undefined).run(tid, undefined)
  expect(result).to.include({ tid, removed: newest - tid })
  disk.onOperation = undefined
  const before = counts.truncated
  check(disk.afterWorstPowerCut(), 'when it was done')
  expect(counts.truncated).to.equal(before + 1)
  const ours = [PATH, `${PATH}.before-${tid}`]
  const leftovers = [`${PATH}.index`, `${PATH}.live`, ...ours.map((name) => `${name}.new`)]
  expect([...ours, ...leftovers].filter((name) => disk.exists(name))).to.deep.equal(ours)
  return counts
}

describe('When the power fails while a database is truncated', () => {
  it('it is whole or truncated, and in that case there is the copy', async () => {
    const sum = { whole: 0, truncated: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { whole, truncated } = await explore(seed)
      sum.whole += whole
      sum.truncated += truncated
    }
    expect(sum.whole).to.be.greaterThan(100)
    expect(sum.truncated).to.be.greaterThan(100)
  })
})

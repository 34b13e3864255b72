import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import type { Storage } from '../../src/core/storage.js'
import { open } from '../../src/open.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { LostInvalidation, MixedSnapshot, TornCommit } from './planted-bugs.js'
import {
  type Counters,
  createCounters,
  type RaceOptions,
  type RaceResult,
  runClient,
  runClients,
} from './race-client.js'
import { Counter, type RaceModelName, raceModels } from './race-models.js'
import type { ReaderOptions } from './race-reader.js'
import type { RaceTask } from './race-thread.js'
import { settings } from './settings.js'

const READER = fileURLToPath(new URL('./race-reader.js', import.meta.url))
const ENDLESS = Number.MAX_SAFE_INTEGER
const seed = runSeed()

/** Two that only read, two that only change, and one that does both. */
function clientsOf(model: RaceModelName, thread: number, transactions: number): RaceOptions[] {
  return [0, 0, 10, 10, 3].map((changes, i) => ({
    model,
    changes,
    transactions: changes === 0 ? ENDLESS : transactions,
    seed: seed + thread * 100 + i,
  }))
}

function start(storage: Storage): Promise<Database<Counters>> {
  return open<Record<string, Counter>>(storage, { classes: [Counter] })
}

async function runThread(database: Database<Counters>, task: Omit<RaceTask, 'handle'>): Promise<RaceResult[]> {
  const { handle, transferList } = database.share()
  const worker = new Worker(new URL('./race-thread.js', import.meta.url), {
    workerData: { ...task, handle } satisfies RaceTask,
    transferList: [...transferList],
  })
  const [[results]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [[RaceResult[]], unknown]
  return results
}

/** Lets clients race in this thread and in others, and returns what each has met with. */
async function race(storage: Storage, model: RaceModelName, transactions: number, threads = 0): Promise<RaceResult[]> {
  await using database = await start(storage)
  await createCounters(database, model)
  const [own, ...others] = Array.from({ length: 1 + threads }, (_, i) => clientsOf(model, i, transactions))
  const writers = new SharedArrayBuffer(4)
  const running = new Int32Array(writers)
  running[0] = [own, ...others].flat().filter((client) => client !== undefined && client.changes > 0).length
  const results = await Promise.all([
    ...others.map((clients) => runThread(database, { clients, writers })),
    runClients(database, own ?? [], running),
  ])
  return results.flat()
}

function sum(results: readonly RaceResult[], figure: keyof RaceResult): number {
  return results.reduce((total, result) => total + result[figure], 0)
}

describe(`invariants under races (PERDURE_SEED=${seed})`, () => {
  for (const { name, create, threads } of settings) {
    for (const model of Object.keys(raceModels) as RaceModelName[]) {
      it(`${name} never shows the counters of '${model}' halfway`, async () => {
        const results = await race(await create(), model, Math.ceil(100 / (1 + threads)), threads)
        expect(sum(results, 'conflicts')).to.be.greaterThan(0)
        expect(sum(results, 'commits')).to.be.greaterThan(50)
        expect(sum(results, 'news')).to.be.greaterThan(50)
        for (const result of results) expect(result.news).to.be.greaterThan(1)
      })
    }
  }

  describe('of two processes', () => {
    let directory: TemporaryDirectory

    beforeEach(() => {
      directory = new TemporaryDirectory()
    })

    afterEach(() => directory.remove())

    for (const model of Object.keys(raceModels) as RaceModelName[]) {
      it(`never show a reader the counters of '${model}' halfway`, async () => {
        const path = directory.join('a.perdure')
        await using database = await start(await FileStorage.open(path, { durability: 'os' }))
        await createCounters(database, model)
        const options: ReaderOptions = { path, model, seed, transactions: ENDLESS, changes: 0, news: 25 }
        const reader = spawn(process.execPath, [READER, JSON.stringify(options)], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        let ended = false
        const output = text(reader.stdout).finally(() => {
          ended = true
        })
        const writers = clientsOf(model, 0, ENDLESS).map((client) => runClient(database, client, () => ended))
        expect(sum(await Promise.all(writers), 'commits')).to.be.at.least(24)
        expect((JSON.parse(await output) as RaceResult).news).to.equal(25)
      })
    }
  })

  describe('are seen broken on a storage that', () => {
    async function isBroken(plant: (inner: Storage, random: Random) => Storage): Promise<boolean> {
      for (let round = 0; round < 20; round++) {
        for (const model of Object.keys(raceModels) as RaceModelName[]) {
          const storage = plant(new MemoryStorage(), new Random(seed + round))
          try {
            await race(storage, model, 50)
          } catch (error) {
            if ((error as Error).message.startsWith('The invariant is broken')) return true
            throw error
          }
        }
      }
      return false
    }

    it('loses an invalidation', async () => {
      expect(await isBroken((inner, random) => new LostInvalidation(inner, random))).to.equal(true)
    })

    it('publishes a commit in two parts', async () => {
      expect(await isBroken((inner) => new TornCommit(inner))).to.equal(true)
    })

    it('gives snapshots of two transactions', async () => {
      expect(await isBroken((inner) => new MixedSnapshot(inner))).to.equal(true)
    })
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { FileStorage } from '../../src/storages/file.js'
import { findFault, plant, type Relinked, relink } from '../support/relinking.js'
import type { RelinkingTask } from '../support/relinking-worker.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const WATCHING_PROCESS = fileURLToPath(new URL('../support/watching-process.js', import.meta.url))
const OWNERS = [1, 2, 3]
const PACKS = 8

describe('packs one after another, while threads write and processes read', () => {
  let directory: TemporaryDirectory
  let storage: FileStorage
  const enough = new SharedArrayBuffer(4)
  const workers: Worker[] = []
  const processes: ChildProcess[] = []

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    storage = await FileStorage.open(directory.join('a.perdure'), { durability: 'os' })
    storage.allocateOids(OWNERS.length)
    await plant(storage, OWNERS)
  })

  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.terminate()
    for (const child of processes.splice(0)) child.kill('SIGKILL')
    await storage.close()
    directory.remove()
  })

  /** Starts a thread that works on an owner, and resolves with what it has done. */
  async function work(owner: number, seed: number): Promise<Relinked> {
    const { handle, transferList } = storage.share()
    const worker = new Worker(new URL('../support/relinking-worker.js', import.meta.url), {
      workerData: { handle, owner, seed, enough } satisfies RelinkingTask,
      transferList,
    })
    workers.push(worker)
    const [done] = (await once(worker, 'message')) as [Relinked]
    return done
  }

  /** Starts a process that reads, and resolves with a function that ends it and gives what it says. */
  async function watch(): Promise<() => Promise<string>> {
    const child = spawn(process.execPath, [WATCHING_PROCESS, storage.location], { stdio: ['pipe', 'pipe', 'inherit'] })
    processes.push(child)
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    expect((await lines.next()).value).to.equal('ready')
    return async () => {
      child.stdin.end()
      return (await lines.next()).value ?? 'nothing'
    }
  }

  it('lose nothing that is in use, and nobody sees a state that was not there', async () => {
    const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 2 ** 31)
    Atomics.store(new Int32Array(enough), 0, 0)
    const endWatching = await watch()
    const held = storage.snapshot()
    const [own, ...others] = OWNERS as [number, ...number[]]
    const working = [
      relink(storage, own, seed, () => Atomics.load(new Int32Array(enough), 0) === 1),
      ...others.map((owner) => work(owner, seed + owner)),
    ]
    const finished = Promise.all(working)
    for (let packs = 0; packs < PACKS; packs++) {
      const before = storage.statistics().tid
      const { objectsAfter } = await storage.pack(packs % 2 === 0 ? {} : { retain: { transactions: 10 } })
      expect(objectsAfter).to.be.above(OWNERS.length)
      const snapshot = storage.snapshot()
      expect(findFault(snapshot) ?? findFault(held)).to.equal(undefined)
      snapshot.release()
      // Some commits between two packs, so that there is something to do for each.
      while (storage.statistics().tid < before + 50) await Promise.race([nextTurn(), finished])
    }
    Atomics.store(new Int32Array(enough), 0, 1)
    const done = await finished
    held.release()
    const watched = await endWatching()
    expect(watched, `PERDURE_SEED=${seed}`).to.match(/^\d+$/)
    expect(Number(watched)).to.be.above(1)
    for (const { commits, reused, gone } of done) {
      expect(commits).to.be.above(10)
      expect(reused + gone, 'garbage was asked for again').to.be.above(0)
    }
    expect(await storage.pack())
      .to.have.property('objectsAfter')
      .which.is.at.most(1 + OWNERS.length * 9)
    const problems = (await storage.verify()).problems.filter(({ kind }) => kind !== 'undecodable')
    expect(problems, `PERDURE_SEED=${seed}`).to.deep.equal([])
  })
})

import { fstatSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { CorruptionError, PerdureError } from '../../src/core/errors.js'
import type { Oid, Tid } from '../../src/core/oid.js'
import { FileStorage } from '../../src/storages/file.js'
import { WorkerPool } from '../../src/workers/pool.js'
import { scanJournal } from '../../src/workers/scan.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal, textRecord } from '../support/test-journal.js'

/** Counts what is under way in a pool. */
class CountingPool extends WorkerPool {
  begun = 0
  ended = 0
  failed = 0
  /** Tasks wait for it. */
  gate: Promise<void> | undefined

  override async run<Task, T>(name: string, task: Task): Promise<T> {
    if (name !== 'readRecords') return super.run(name, task)
    this.begun++
    try {
      await this.gate
      return await super.run<Task, T>(name, task)
    } catch (error) {
      this.failed++
      throw error
    } finally {
      this.ended++
    }
  }
}

describe('scanJournal', () => {
  let directory: TemporaryDirectory
  let path: string
  let journal: TestJournal
  let pool: CountingPool

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    journal = new TestJournal(path, undefined, { durability: 'os' })
    pool = new CountingPool()
  })

  afterEach(async () => {
    await pool.close()
    journal.close()
    directory.remove()
  })

  function scan(tid: Tid = journal.tid, assertReadable: () => void = () => {}) {
    return scanJournal(pool, { view: journal.view, tid, assertReadable })
  }

  async function oidsAndTids(tid?: Tid): Promise<[Oid, Tid][]> {
    const found: [Oid, Tid][] = []
    for await (const { oids, tids } of scan(tid)) oids.forEach((oid, i) => void found.push([oid, tids[i] as Tid]))
    return found.sort(([a], [b]) => a - b)
  }

  /** 24 stretches of the journal, one object each. */
  function makeLong(): void {
    for (let oid = 0; oid < 24; oid++) journal.commit([[oid, 'x'.repeat(1024 * 1024)]])
  }

  function flip(at: number): void {
    const bytes = readFileSync(path)
    bytes[at] = (bytes[at] as number) ^ 1
    writeFileSync(path, bytes)
  }

  it('reads only a few batches ahead of the consumer', async () => {
    makeLong()
    const batches = scan()
    const ahead = pool.size + 2
    for (let taken = 1; taken <= 6; taken++) {
      expect((await batches.next()).done).to.equal(false)
      expect(pool.begun).to.be.at.most(taken + ahead)
    }
    const { begun } = pool
    while (pool.ended < begun) await new Promise((resolve) => setImmediate(resolve))
    expect(pool.begun, 'nothing more is begun while nobody asks').to.equal(begun)
    expect(begun).to.be.lessThan(24)
    await batches.return()
  })

  it('has ended, with all its tasks, when the consumer has left it', async () => {
    makeLong()
    for await (const { oids } of scan()) {
      expect(oids.length).to.be.greaterThan(0)
      break
    }
    expect(pool.begun).to.be.greaterThan(1).and.lessThan(24)
    expect(pool.ended).to.equal(pool.begun)
  })

  it('keeps the file open for its tasks, and no longer', async () => {
    makeLong()
    const descriptor = journal.view.borrowed.descriptor as number
    let released = false
    const batches = scan(journal.tid, () => {
      if (released) throw new PerdureError('PERDURE_CLOSED', 'The snapshot has been released.')
    })
    await batches.next()
    let open = () => {}
    pool.gate = new Promise((resolve) => {
      open = resolve
    })
    const second = batches.next().catch((error: PerdureError) => error.code)
    const { begun } = pool
    released = true
    journal.close()
    fstatSync(descriptor)
    open()
    expect(await second).to.equal('PERDURE_CLOSED')
    expect([pool.begun, pool.ended, pool.failed]).to.deep.equal([begun, begun, 0])
    expect(() => fstatSync(descriptor))
      .to.throw()
      .with.property('code', 'EBADF')
    journal = new TestJournal(path)
  })

  it('shows each past state, however often objects have changed since', async () => {
    const states: [Oid, Tid][][] = [[]]
    for (let tid = 1; tid <= 30; tid++) {
      const state = new Map(states.at(-1))
      // Object 7 changes each time, others seldom, and every time there is a new one.
      const oids = [7, tid % 5, 100 + tid].filter((oid, i, all) => all.indexOf(oid) === i)
      journal.commit(oids.map((oid) => [oid, `${oid} at ${tid}`]))
      for (const oid of oids) state.set(oid, tid)
      states.push([...state].sort(([a], [b]) => a - b))
    }
    for (const [tid, state] of states.entries()) expect(await oidsAndTids(tid), `at ${tid}`).to.deep.equal(state)
  })

  it('reads oids that lie far apart', async () => {
    const oids = [0, 1023, 1024, 65_535, 65_536, 1_000_000]
    journal.commit(oids.map((oid) => [oid, 'far']))
    expect(await oidsAndTids()).to.deep.equal(oids.map((oid) => [oid, 1]))
  })

  describe('of a damaged journal', () => {
    const record = 32 + textRecord('text').length
    /** Where the records of the only transaction begin. */
    const at = (position: number) => 128 + 64 + position * record

    async function failure(tid?: Tid): Promise<PerdureError> {
      try {
        await oidsAndTids(tid)
      } catch (error) {
        return error as PerdureError
      }
      throw new Error('nothing was noticed')
    }

    it('names the offset of a record that is not what was stored', async () => {
      journal.commit([0, 1, 2, 3].map((oid) => [oid, 'text']))
      for (const byte of [0, 4, 7, 8, 20, 40]) {
        flip(at(2) + byte)
        const error = await failure()
        expect(error, `byte ${byte}`).to.be.instanceOf(CorruptionError).with.property('offset', at(2))
        expect(error.message).to.include(path)
        flip(at(2) + byte)
      }
      expect(await oidsAndTids()).to.have.length(4)
    })

    it('names the offset of an older version that it needs, and minds no other', async () => {
      journal.commit([0, 1].map((oid) => [oid, 'text']))
      journal.commit([[1, 'new']])
      flip(at(1) + 40)
      expect(await oidsAndTids()).to.deep.equal([
        [0, 1],
        [1, 2],
      ])
      expect(await failure(1))
        .to.be.instanceOf(CorruptionError)
        .with.property('offset', at(1))
    })

    it('names the offset at which the file ends too early', async () => {
      journal.commit([0, 1].map((oid) => [oid, 'text']))
      truncateSync(path, at(1) + 40)
      expect(await failure())
        .to.be.instanceOf(CorruptionError)
        .with.property('offset', at(1))
      truncateSync(path, at(1) + 4)
      expect(await failure())
        .to.be.instanceOf(CorruptionError)
        .with.property('offset', at(1))
    })
  })

  it('is told of a thread that has died', async () => {
    makeLong()
    const dying = {
      size: 1,
      run: <Task, T>(name: string, task: Task): Promise<T> =>
        name === 'readRecords'
          ? Promise.reject(new PerdureError('PERDURE_THREAD', 'It has died.'))
          : pool.run(name, task),
    }
    const batches = scanJournal(dying, { view: journal.view, tid: journal.tid, assertReadable: () => {} })
    const outcome = await batches.next().catch((error: PerdureError) => error.code)
    expect(outcome).to.equal('PERDURE_THREAD')
  })

  it('reads the file of its snapshot, though that has no name any more', async () => {
    const storage = await FileStorage.open(path.replace('a.', 'd.'))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 3, data: textRecord('three') }] })
    const snapshot = storage.snapshot()
    unlinkSync(storage.location)
    writeFileSync(storage.location, 'something else')
    const oids: Oid[] = []
    for await (const batch of snapshot.scan()) oids.push(...batch.oids)
    expect(oids).to.deep.equal([3])
    snapshot.release()
    unlinkSync(storage.location)
    await storage.close()
  })
})

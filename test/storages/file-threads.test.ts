import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { FileStorage } from '../../src/storages/file.js'
import type { CommittingTask } from '../support/committing-worker.js'
import { numberRecord, recordNumber } from '../support/number-record.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('FileStorage shared by threads', () => {
  let directory: TemporaryDirectory
  let storage: FileStorage
  let workers: Worker[]

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    storage = await FileStorage.open(directory.join('a.perdure'))
    workers = []
  })

  afterEach(async () => {
    for (const worker of workers) await worker.terminate()
    await storage.close()
    directory.remove()
  })

  function startWorker(task: Omit<CommittingTask, 'handle'>): Worker {
    const { handle, transferList } = storage.share()
    const worker = new Worker(new URL('../support/committing-worker.js', import.meta.url), {
      workerData: { ...task, handle } satisfies CommittingTask,
      transferList,
    })
    workers.push(worker)
    return worker
  }

  it('loses no update of two threads and the owner on the same objects', async () => {
    const counters = storage.allocateOids(2)
    const task = { counters: [counters, counters + 1], rounds: 50 }
    const answers = [startWorker(task), startWorker(task)].map((worker) => once(worker, 'message'))
    for (let done = 0; done < 50; ) {
      const snapshot = storage.snapshot()
      const data = numberRecord(recordNumber(snapshot.load(counters)) + 1)
      const result = await storage.commit({ base: snapshot.tid, reads: [], writes: [{ oid: counters, data }] })
      snapshot.release()
      if (result.conflicts === undefined) done++
    }
    await Promise.all(answers)
    const snapshot = storage.snapshot()
    expect(recordNumber(snapshot.load(counters))).to.equal(150)
    expect(recordNumber(snapshot.load(counters + 1))).to.equal(100)
    // Each commit of a worker has made one object under an oid that nobody else was given.
    expect(storage.statistics()).to.include({ objects: 202, commits: 250 })
    snapshot.release()
  })

  it('goes on when a thread that shares it is terminated', async () => {
    const counter = storage.allocateOids(1)
    const worker = startWorker({ counters: [counter], rounds: 1_000_000 })
    while (storage.statistics().tid < 20) await storage.commit({ base: 0, reads: [], writes: [] })
    await worker.terminate()
    const { tid } = await storage.commit({
      base: storage.statistics().tid,
      reads: [],
      writes: [{ oid: storage.allocateOids(1), data: numberRecord(1) }],
    })
    expect(tid).to.be.greaterThan(20)
    const other = startWorker({ counters: [storage.allocateOids(1)], rounds: 3 })
    await once(other, 'message')
  })
})

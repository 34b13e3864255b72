import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { createJournal } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { CoordinatorClient } from '../../src/workers/coordinator-client.js'
import { CoordinatorThread, startCoordinatorWorker } from '../../src/workers/coordinator-thread.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { textRecord } from '../support/test-journal.js'

describe('CoordinatorThread', () => {
  let directory: TemporaryDirectory
  let worker: Worker | undefined
  let thread: CoordinatorThread | undefined
  let path: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    createJournal(nodeFileSystem, path, 'msgpack')
    thread = await CoordinatorThread.start(
      { path, durability: 'fsync', loadIndex: false, checkpointBytes: 1_000_000 },
      (data, transfer) => {
        worker = startCoordinatorWorker(data, transfer)
        return worker
      },
    )
  })

  afterEach(async () => {
    await thread?.close()
    directory.remove()
  })

  const request = (oid: number) => ({ base: 0, reads: [], writes: [{ oid, data: textRecord('text') }] })

  function running(): { thread: CoordinatorThread; worker: Worker } {
    if (thread === undefined || worker === undefined) throw new Error('not started')
    return { thread, worker }
  }

  async function codesOf(promises: readonly Promise<unknown>[]): Promise<Set<unknown>> {
    const settled = await Promise.allSettled(promises)
    return new Set(settled.map((each) => (each.status === 'rejected' ? each.reason.code : 'stored')))
  }

  it('that ends in the middle of commits lets none of any handle wait', async () => {
    const { thread, worker } = running()
    const other = new CoordinatorClient(thread.connect(), path)
    await Promise.all([thread.client.commit(request(0)), other.commit(request(1))])
    const commits = Array.from({ length: 200 }, (_, i) => (i % 2 ? thread.client : other).commit(request(i + 2)))
    const ended = worker.terminate()
    const codes = await codesOf(commits)
    await ended
    expect([...codes].every((code) => code === 'stored' || code === 'PERDURE_THREAD')).to.equal(true)
    expect(await codesOf([thread.client.commit(request(1)), other.commit(request(1))])).to.deep.equal(
      new Set(['PERDURE_THREAD']),
    )
    other.disconnect()
  })

  it('that dies of an error says so in the cause', async () => {
    const failing = await CoordinatorThread.start(
      { path: directory.join('b'), durability: 'os', loadIndex: false, checkpointBytes: 1_000_000 },
      (data, transfer) =>
        new Worker(
          `const { workerData, parentPort } = require('node:worker_threads')
           parentPort.postMessage({ type: 'ready', shared: { path: 'b' }, recovery: {} })
           Atomics.wait(new Int32Array(workerData.doorbell), 0, 0)
           throw new RangeError('out of luck')`,
          { eval: true, workerData: data, transferList: transfer },
        ),
    )
    const error = await failing.client.commit(request(0)).catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'PERDURE_THREAD')
    await failing.close()
  })

  it('reports why the journal could not be opened', async () => {
    const settings = { path: directory.join('none'), durability: 'os', loadIndex: false, checkpointBytes: 1 } as const
    const error = await CoordinatorThread.start(settings).catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'PERDURE_NOT_FOUND')
  })

  it('answers the commits under way before it closes, and refuses later ones', async () => {
    const { thread } = running()
    const other = new CoordinatorClient(thread.connect(), path)
    await other.commit(request(1000))
    const commits = Array.from({ length: 100 }, (_, i) => thread.client.commit(request(i)))
    await thread.close()
    expect(await codesOf(commits)).to.deep.equal(new Set(['stored']))
    expect(await codesOf([thread.client.commit(request(1)), other.commit(request(1))])).to.deep.equal(
      new Set(['PERDURE_CLOSED']),
    )
  })
})

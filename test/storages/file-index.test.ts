import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { type Oid, ROOT_OID } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { RecordWrite } from '../../src/core/storage.js'
import { FileStorage, type FileStorageOptions } from '../../src/storages/file.js'
import { numberRecord, recordNumber } from '../support/number-record.js'
import type { ReadingTask } from '../support/reading-worker.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/** More than a few pages of the index. */
const LAST = 5000
const SUM = (LAST * (LAST + 1)) / 2

describe('the oid index of a file', () => {
  let directory: TemporaryDirectory
  let path: string
  const opened: FileStorage[] = []
  const workers: Worker[] = []

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.terminate()
    for (const storage of opened.splice(0).reverse()) await storage.close()
    directory.remove()
  })

  async function start(options: FileStorageOptions): Promise<FileStorage> {
    const storage = await FileStorage.open(path, { durability: 'os', ...options })
    opened.push(storage)
    return storage
  }

  async function commit(storage: FileStorage, writes: readonly RecordWrite[]): Promise<void> {
    const { conflicts } = await storage.commit({ base: storage.statistics().tid, reads: [], writes })
    expect(conflicts).to.equal(undefined)
  }

  /** A root that refers to objects of which each holds its own oid, in a file that was closed. */
  async function create(): Promise<void> {
    const storage = await start({})
    const oids = Array.from({ length: storage.allocateOids(LAST) + LAST - 1 }, (_, i) => i + 1)
    expect(oids.at(-1)).to.equal(LAST)
    const references = oids.map((oid) => new Reference(oid, 'Number'))
    await commit(storage, [
      { oid: ROOT_OID, data: encodeRecord('Root', references, Buffer.alloc(0)) },
      ...oids.map((oid) => ({ oid, data: numberRecord(oid) })),
    ])
    await storage.close()
    expect(existsSync(`${path}.index`)).to.equal(true)
  }

  /** From now on every page of the checkpoint that is read, by whoever has it open, is damaged, which is counted. */
  function spoilCheckpoint(): void {
    writeFileSync(`${path}.index`, Buffer.alloc(readFileSync(`${path}.index`).length, 0xaa), { flag: 'r+' })
  }

  function sum(storage: FileStorage): number {
    const snapshot = storage.snapshot()
    let total = 0
    for (let oid: Oid = 1; oid <= LAST; oid++) total += recordNumber(snapshot.load(oid))
    snapshot.release()
    return total
  }

  const rebuilds = (storage: FileStorage) => storage.statistics()['indexRebuilds']

  /** A handle in this thread, and one in another. */
  async function expectSharedToRead(storage: FileStorage): Promise<void> {
    const attached = FileStorage.attach(storage.share().handle)
    opened.push(attached)
    expect(sum(attached)).to.equal(SUM)
    const { handle, transferList } = storage.share()
    const workerData: ReadingTask = { handle, last: LAST }
    const worker = new Worker(new URL('../support/reading-worker.js', import.meta.url), { workerData, transferList })
    workers.push(worker)
    expect(await read(worker)).to.equal(SUM)
  }

  async function read(worker: Worker): Promise<number> {
    worker.postMessage('read')
    const [total] = (await once(worker, 'message')) as [number]
    return total
  }

  it('is read page by page, as it is needed, unless it is asked for as a whole', async () => {
    for (const readonly of [false, true]) {
      await create()
      const storage = await start({ readonly })
      expect(storage.recovery.checkpoint).to.equal('used')
      spoilCheckpoint()
      expect(rebuilds(storage)).to.equal(0)
      // Every object is found all the same, since the journal is read instead.
      expect(sum(storage)).to.equal(SUM)
      expect(rebuilds(storage)).to.equal(1)
      await storage.close()
      directory.remove()
      directory = new TemporaryDirectory()
      path = directory.join('a.perdure')
    }
  })

  describe("with index: 'memory'", () => {
    it('is never read again, by any thread', async () => {
      await create()
      const storage = await start({ index: 'memory' })
      expect(storage.recovery.checkpoint).to.equal('used')
      spoilCheckpoint()
      expect(sum(storage)).to.equal(SUM)
      await expectSharedToRead(storage)
      expect((await storage.verify()).objects).to.equal(LAST + 1)
      expect(rebuilds(storage)).to.equal(0)
    })

    it('is never read again by readonly handles', async () => {
      await create()
      const storage = await start({ index: 'memory', readonly: true })
      spoilCheckpoint()
      expect(sum(storage)).to.equal(SUM)
      await expectSharedToRead(storage)
      expect(rebuilds(storage)).to.equal(0)
    })

    it('is never read again when commits have changed it and a new checkpoint has been written', async () => {
      await create()
      const storage = await start({ index: 'memory', checkpointBytes: 65_536 })
      const reader = await start({ index: 'memory', readonly: true })
      spoilCheckpoint()
      // The checkpoint is written a little after each commit.
      for (let i = 0; storage.statistics()['checkpoints'] === 0; i++) {
        expect(i).to.be.lessThan(10_000)
        const oid = storage.allocateOids(1)
        await commit(storage, [{ oid, data: Buffer.concat([numberRecord(0), Buffer.alloc(20_000)]) }])
        await nextTurn()
      }
      spoilCheckpoint()
      for (const handle of [storage, reader]) {
        expect(sum(handle)).to.equal(SUM)
        expect(rebuilds(handle)).to.equal(0)
      }
      await expectSharedToRead(storage)
      expect(rebuilds(storage)).to.equal(0)
    })

    it('is never read again after a pack', async () => {
      await create()
      const storage = await start({ index: 'memory' })
      const attached = FileStorage.attach(storage.share().handle)
      const reader = await start({ index: 'memory', readonly: true })
      opened.push(attached)
      await commit(storage, [{ oid: LAST, data: numberRecord(LAST) }])
      for (let pack = 0; pack < 2; pack++) {
        await storage.pack()
        // They go over to the new journal with their next snapshot.
        for (const handle of [storage, attached, reader]) handle.snapshot().release()
        expect(existsSync(`${path}.index`)).to.equal(true)
        spoilCheckpoint()
        for (const handle of [storage, attached, reader]) {
          expect(sum(handle)).to.equal(SUM)
          expect(rebuilds(handle)).to.equal(0)
        }
        await expectSharedToRead(storage)
        expect(rebuilds(storage)).to.equal(0)
      }
    })
  })
})

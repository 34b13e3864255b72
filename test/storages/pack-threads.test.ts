import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { ROOT_OID } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { FileStorage } from '../../src/storages/file.js'
import {
  counterRecord,
  NEWEST,
  type PackedTask,
  raise,
  readCounter,
  STOP,
  snapshotNow,
} from '../support/packed-worker.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const THREADS = 2
const PACKS = 12

describe('packs while several threads work', () => {
  let directory: TemporaryDirectory
  let storage: FileStorage
  let workers: Worker[]

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    storage = await FileStorage.open(directory.join('a.perdure'), { durability: 'os' })
    workers = []
  })

  afterEach(async () => {
    for (const worker of workers) await worker.terminate()
    await storage.close()
    directory.remove()
  })

  async function createCounters(count: number): Promise<number> {
    const first = storage.allocateOids(2 * count)
    const counters = Array.from({ length: count }, (_, i) => first + i)
    const { tid } = await storage.commit({
      base: 0,
      reads: [],
      writes: [
        {
          oid: ROOT_OID,
          data: encodeRecord(
            'Root',
            counters.map((oid) => new Reference(oid, 'Counter')),
            Buffer.alloc(0),
          ),
        },
        ...counters.map((oid) => ({ oid, data: counterRecord(0, oid + count) })),
        ...counters.map((oid) => ({ oid: oid + count, data: encodeRecord('Attached', [], Buffer.alloc(0)) })),
      ],
    })
    expect(tid).to.equal(1)
    return first
  }

  it('keep every commit, show it to all at once, and give no oid out twice', async function () {
    this.timeout(120_000)
    const first = await createCounters(THREADS)
    const signals = new SharedArrayBuffer(8)
    const allocated = new SharedArrayBuffer(4_000_000)
    const slots = new Int32Array(signals)
    raise(slots, 1)
    const answers = Array.from({ length: THREADS }, (_, i) => {
      const { handle, transferList } = storage.share()
      const task: PackedTask = { handle, counter: first + i, signals, allocated }
      const worker = new Worker(new URL('../support/packed-worker.js', import.meta.url), {
        workerData: task,
        transferList,
      })
      workers.push(worker)
      return once(worker, 'message')
    })
    const all = Promise.all(answers)
    const reader = await FileStorage.open(storage.location, { readonly: true })
    // Every third pack keeps all the history there is.
    let historyFrom = 1
    for (let pack = 0; pack < PACKS; pack++) {
      let packing = true
      const packed = storage.pack(pack % 3 === 0 ? { retain: { tid: historyFrom } } : {}).finally(() => {
        packing = false
      })
      while (packing) {
        // Handles that are made at any moment of a pack, and an old one, see what a new one of another process sees.
        const attached = FileStorage.attach(storage.share().handle)
        for (const handle of [attached, storage, reader]) {
          const snapshot = snapshotNow(handle, slots)
          for (let i = 0; i < THREADS; i++) readCounter(snapshot, first + i)
          snapshot.release()
        }
        await attached.close()
        // A thread that has failed ends the test.
        await Promise.race([nextTurn(), all])
      }
      const { objectsAfter, historyFrom: from } = await packed
      historyFrom = from
      expect(objectsAfter).to.be.at.least(1 + 2 * THREADS)
    }
    Atomics.store(slots, STOP, 1)
    const done = (await all).map(([count]) => count as number)
    await reader.close()
    const snapshot = snapshotNow(storage, slots)
    expect(done.map((_, i) => readCounter(snapshot, first + i))).to.deep.equal(done)
    expect(snapshot.tid).to.equal(1 + done.reduce((sum, count) => sum + count, 0) + PACKS)
    expect(Atomics.load(slots, NEWEST)).to.be.at.most(snapshot.tid)
    snapshot.release()
    const { objectsAfter } = await storage.pack()
    expect(objectsAfter).to.equal(1 + 2 * THREADS)
    // The states of these records are of no serializer.
    const { problems } = await storage.verify()
    expect(problems.filter(({ kind }) => kind !== 'undecodable')).to.deep.equal([])
  })
})

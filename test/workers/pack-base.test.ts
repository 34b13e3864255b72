import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import type { Tid } from '../../src/core/oid.js'
import { encodeRecord, recordReferences } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { FILE_HEADER_BYTES } from '../../src/journal/format.js'
import { createJournal } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { NO_PAGES, OidIndex } from '../../src/journal/oid-index.js'
import type { PackMoment } from '../../src/journal/pack-moment.js'
import type { TailProgress } from '../../src/journal/packed-base.js'
import { packPath } from '../../src/journal/packed-base.js'
import { RetainedHistory } from '../../src/journal/retention.js'
import { JournalView } from '../../src/journal/shared-journal.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import { Random } from '../../src/testing/random.js'
import { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import { type MadeBase, makeBase, type PackSubject } from '../../src/workers/pack-base.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { type GraphHistory, type GraphState, randomHistory, reachable } from '../support/graph-history.js'
import { packHere } from '../support/pack-here.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const SETTINGS = { durability: 'os', loadIndex: false, checkpointBytes: 2 ** 30 } as const

/** An open journal in which a history has been stored. */
class Stored {
  readonly loop: CoordinatorLoop
  /** The moments after each transaction, and before the first. */
  readonly moments: PackMoment[] = []

  constructor(path: string, { transactions }: GraphHistory) {
    createJournal(nodeFileSystem, path, 'msgpack')
    this.loop = new CoordinatorLoop(nodeFileSystem, { ...SETTINGS, path })
    const view = JournalView.attach(nodeFileSystem, this.loop.shared)
    const file = nodeFileSystem.open(path, 'read')
    const { header } = this.loop.shared
    this.moments.push(new RetainedHistory(file, header, FILE_HEADER_BYTES).newest)
    for (const [base, writes] of transactions.entries()) {
      const image = layOutTransaction(writes, { note: `after ${base}` })
      this.loop.runBatch([{ base, reads: [], image, answer: ({ tid }) => expect(tid).to.equal(base + 1) }])
      this.moments.push(new RetainedHistory(file, header, view.state.get('end')).newest)
    }
    file.close()
    view.release()
  }
}

describe('makeBase', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** Packs `stored`: makes the base when the transaction `begin` was the newest, then copies the rest. */
  async function pack(stored: Stored, from: Tid, begin: Tid, options: Partial<PackSubject> = {}): Promise<MadeBase> {
    const { shared } = stored.loop
    const pool = packHere()
    const subject: PackSubject = {
      shared,
      from: stored.moments[from] as PackMoment,
      newest: stored.moments[begin] as PackMoment,
      memoryBytes: 2 ** 20,
      ...options,
    }
    const made = await makeBase(nodeFileSystem, pool, subject, new AbortController().signal, () => {})
    const { end } = stored.moments.at(-1) as PackMoment
    const progress = await pool.run<unknown, TailProgress>('packTail', { shared, base: made.base, to: end })
    expect(progress.sourceEnd).to.equal(end)
    return made
  }

  /** Opens the packed journal, and compares each state that it is to have kept. */
  function compare(path: string, { states }: GraphHistory, from: Tid): CoordinatorLoop {
    const loop = new CoordinatorLoop(nodeFileSystem, { ...SETTINGS, path })
    const view = JournalView.attach(nodeFileSystem, loop.shared)
    expect(view.state.get('tid')).to.equal(states.length - 1)
    for (let tid = from; tid < states.length; tid++) {
      const state = states[tid] as GraphState
      for (const oid of reachable(state)) {
        const found = view.reader.load(oid, view.index.get(oid), tid)
        expect(found?.tid, `object ${oid} at ${tid}`).to.equal(state.get(oid)?.tid)
        expect(Buffer.compare(found?.data as Uint8Array, state.get(oid)?.data as Uint8Array)).to.equal(0)
      }
    }
    let objects = 0
    for (let oid = 0; oid < view.state.get('nextOid'); oid++) {
      const offset = view.index.get(oid)
      if (offset === 0) continue
      objects++
      const data = view.reader.load(oid, offset, states.length)?.data as Uint8Array
      for (const target of recordReferences(data)) expect(view.index.get(target), `${oid} to ${target}`).to.be.above(0)
    }
    expect(view.state.get('objects')).to.equal(objects)
    view.release()
    return loop
  }

  it('keeps every state that is to be kept, in whatever pieces and with whatever memory it works', async () => {
    const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 2 ** 31)
    for (let run = 0; run < 40; run++) {
      const random = new Random(seed + run)
      const path = directory.join(`${run}.perdure`)
      const history = randomHistory(random, 1 + random.below(30))
      const newest = history.transactions.length
      const begin = random.below(newest + 1)
      const from = random.below(begin + 1)
      try {
        const stored = new Stored(path, history)
        await pack(stored, from, begin, {
          memoryBytes: random.pick([0, 1000, 3000, 2 ** 20]),
          rangeBytes: random.pick([256, 4096, 2 ** 24]),
          transactionBytes: random.pick([200, 2000, 2 ** 20]),
        })
        stored.loop.close()
        renameSync(packPath(path), `${path}.packed`)
        compare(`${path}.packed`, history, from).close()
      } catch (error) {
        if (error instanceof Error) {
          error.message += ` (PERDURE_SEED=${seed + run}, ${newest} transactions, from ${from}, begun at ${begin})`
        }
        throw error
      }
    }
  })

  it('drops exactly what cannot be reached when no history is kept', async () => {
    const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 2 ** 31)
    for (let run = 0; run < 10; run++) {
      const path = directory.join(`${run}.perdure`)
      const history = randomHistory(new Random(seed + run), 20)
      const stored = new Stored(path, history)
      const { base, removed, objectsBefore } = await pack(stored, 20, 20)
      stored.loop.close()
      const state = history.states[20] as GraphState
      const kept = reachable(state)
      expect(base.state.objects, `PERDURE_SEED=${seed + run}`).to.equal(kept.size)
      expect(objectsBefore).to.equal(state.size)
      expect(removed).to.deep.equal([...state.keys()].filter((oid) => !kept.has(oid)).sort((a, b) => a - b))
      renameSync(packPath(path), `${path}.packed`)
      const loop = compare(`${path}.packed`, history, 20)
      const { nextOid } = stored.moments[20] as PackMoment
      const view = JournalView.attach(nodeFileSystem, loop.shared)
      expect(view.state.get('nextOid'), 'oids are not used again').to.equal(Math.max(1, nextOid))
      view.release()
      loop.close()
    }
  })

  it('stores objects in the order in which a traversal from the root meets them', async () => {
    const links: [number, number[]][] = [
      [6, []],
      [5, []],
      [4, [6, 3]],
      [3, [5]],
      [2, []],
      [1, [2]],
      [0, [3, 1, 4]],
    ]
    const writes = links.map(([oid, targets]) => ({
      oid,
      data: encodeRecord(
        'Node',
        targets.map((target) => new Reference(target, 'Node')),
        Buffer.from('state'),
      ),
    }))
    for (const memoryBytes of [0, 2 ** 20]) {
      const history = { transactions: [writes], states: [] }
      const stored = new Stored(directory.join(`${memoryBytes}.perdure`), history)
      const { base } = await pack(stored, 1, 1, { memoryBytes })
      const index = new OidIndex(base.index, NO_PAGES)
      const offsets = [0, 3, 1, 4, 5, 2, 6].map((oid) => index.get(oid))
      expect(offsets[0]).to.be.above(128)
      expect(offsets).to.deep.equal(offsets.toSorted((a, b) => a - b))
      stored.loop.close()
    }
  })

  it('takes as many transactions as there are tids, and makes them larger where these are few', async () => {
    const history = randomHistory(new Random(7), 12)
    for (const from of [1, 2, 5, 12]) {
      const path = directory.join(`${from}.perdure`)
      const stored = new Stored(path, history)
      const { base } = await pack(stored, from, 12, { transactionBytes: 100 })
      expect(base.header).to.include({ historyFrom: from })
      expect(base.header.baseTid).to.be.within(0, from - 1)
      stored.loop.close()
      renameSync(packPath(path), `${path}.packed`)
      compare(`${path}.packed`, history, from).close()
    }
  })

  describe('that fails', () => {
    /** A journal, and what making its base on a disk with faults ends with. */
    async function fails(fault: FaultyFileSystem['fault'], before?: Parameters<typeof packHere>[1]): Promise<unknown> {
      const path = directory.join('a.perdure')
      const stored = new Stored(path, randomHistory(new Random(3), 20))
      const bytes = readFileSync(path)
      const disk = new FaultyFileSystem()
      disk.fault = fault
      const moment = stored.moments[20] as PackMoment
      const subject = { shared: stored.loop.shared, from: moment, newest: moment, memoryBytes: 2 ** 20 }
      const { signal } = new AbortController()
      const error = await makeBase(disk, packHere(disk, before), subject, signal, () => {}).catch((e: unknown) => e)
      if (error instanceof Error) expect(existsSync(packPath(path)), 'nothing is left').to.equal(false)
      expect(readFileSync(path).equals(bytes), 'the journal is as it was').to.equal(true)
      stored.loop.close()
      return error
    }

    for (const [operation, system, code] of [
      ['write', 'ENOSPC', 'PERDURE_NO_SPACE'],
      ['sync', 'EIO', 'PERDURE_IO'],
      ['read', 'EIO', 'PERDURE_IO'],
    ] as const) {
      it(`leaves nothing behind: ${system} from each ${operation}`, async () => {
        for (let failing = 0; ; failing++) {
          rmSync(directory.join('a.perdure'), { force: true })
          let count = 0
          const error = await fails((event) =>
            event.operation === operation && count++ === failing ? system : undefined,
          )
          if (!(error instanceof Error)) {
            expect(failing, 'some have failed').to.be.above(1)
            break
          }
          expect(error).to.have.property('code', code)
        }
      })
    }

    it('leaves nothing behind when a thread dies', async () => {
      for (const name of ['packIndex', 'packRecords', 'packMark', 'packCopy']) {
        rmSync(directory.join('a.perdure'), { force: true })
        const death = new PerdureError('PERDURE_THREAD', 'A worker thread has died.')
        const error = await fails(
          () => undefined,
          (task) => {
            if (task === name) throw death
          },
        )
        expect(error).to.equal(death)
      }
    })
  })
})

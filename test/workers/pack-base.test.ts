import { existsSync, renameSync } from 'node:fs'
import { expect } from 'chai'
import type { Tid } from '../../src/core/oid.js'
import { recordReferences } from '../../src/core/record.js'
import { FILE_HEADER_BYTES } from '../../src/journal/format.js'
import { createJournal } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { momentAt, type PackMoment } from '../../src/journal/pack-moment.js'
import type { TailProgress } from '../../src/journal/packed-base.js'
import { packPath } from '../../src/journal/packed-base.js'
import { JournalView } from '../../src/journal/shared-journal.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import { Random } from '../../src/testing/random.js'
import { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import { type MadeBase, makeBase, type PackSubject } from '../../src/workers/pack-base.js'
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
    this.moments.push(momentAt(file, header, FILE_HEADER_BYTES))
    for (const [base, writes] of transactions.entries()) {
      const image = layOutTransaction(writes, { note: `after ${base}` })
      this.loop.runBatch([{ base, reads: [], image, answer: ({ tid }) => expect(tid).to.equal(base + 1) }])
      this.moments.push(momentAt(file, header, view.state.get('end')))
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
    for (let run = 0; run < 60; run++) {
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
    for (let run = 0; run < 20; run++) {
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
      expect(existsSync(packPath(path))).to.equal(false)
    }
  })
})

import { readFileSync, statSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import type { Oid } from '../../src/core/oid.js'
import type { CommitOutcome } from '../../src/workers/messages.js'
import { type Event, FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

describe('CoordinatorLoop', () => {
  let directory: TemporaryDirectory
  let path: string
  let disk: FaultyFileSystem
  let open: TestJournal[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    disk = new FaultyFileSystem()
    open = []
  })

  afterEach(() => {
    disk.fault = () => undefined
    for (const journal of open) journal.close()
    directory.remove()
  })

  function start(settings?: ConstructorParameters<typeof TestJournal>[2], fileSystem = disk): TestJournal {
    const journal = new TestJournal(path, fileSystem, settings)
    open.push(journal)
    return journal
  }

  function close(journal: TestJournal): void {
    open.splice(open.indexOf(journal), 1)
    journal.close()
  }

  function failJournal(operation: Event['operation'], code: string): void {
    disk.fault = (event) => (event.operation === operation && event.path === path ? code : undefined)
  }

  const tidsOf = (outcomes: CommitOutcome[]) => outcomes.map((outcome) => outcome.tid)

  it('writes and syncs a batch once', () => {
    const journal = start()
    journal.commit([[0, 'root']])
    const before = disk.count('sync', '.perdure')
    const writes = disk.count('write', '.perdure')
    const commits = Array.from({ length: 64 }, (_, i) => ({ base: 1, writes: [[i + 1, `${i}`]] as [Oid, string][] }))
    expect(tidsOf(journal.batch(commits))).to.deep.equal(Array.from({ length: 64 }, (_, i) => i + 2))
    expect(disk.count('sync', '.perdure') - before).to.equal(1)
    expect(disk.count('write', '.perdure') - writes).to.equal(1)
    expect(journal.view.state.get('largestBatch')).to.equal(64)
  })

  it('shows nobody a commit before it is synced, and everybody before it is answered', () => {
    const journal = start()
    journal.commit([[1, 'old']])
    const seen: [number, string | undefined][] = []
    const look = () => seen.push([journal.tid, journal.text(1, 100)])
    disk.fault = (event) => {
      if (event.path === path && (event.operation === 'write' || event.operation === 'sync')) look()
      return undefined
    }
    journal.batch([{ base: 1, writes: [[1, 'new']] }], look)
    expect(seen).to.deep.equal([
      [1, 'old'],
      [1, 'old'],
      [2, 'new'],
    ])
  })

  it("does not sync with durability 'os' before a checkpoint or the end", () => {
    const journal = start({ durability: 'os' })
    const before = disk.count('sync', '.perdure')
    for (let i = 0; i < 10; i++) journal.commit([[i, 'text']])
    expect(disk.count('sync', '.perdure')).to.equal(before)
    close(journal)
    expect(disk.count('sync', '.perdure')).to.be.greaterThan(before)
  })

  it('counts what comes before in the same batch as a conflict', () => {
    const journal = start()
    journal.commit([[1, 'old']])
    const [first, second, third, fourth] = journal.batch([
      {
        base: 1,
        writes: [
          [1, 'first'],
          [2, 'new'],
        ],
      },
      { base: 1, writes: [[1, 'second']] },
      { base: 1, writes: [[3, 'third']], reads: [2] },
      { base: 1, writes: [[3, 'fourth']] },
    ])
    expect(first?.tid).to.equal(2)
    expect(second?.conflicts).to.deep.equal([{ oid: 1, className: 'Text', tid: 2 }])
    expect(third?.conflicts).to.deep.equal([{ oid: 2, className: 'Text', tid: 2 }])
    expect(fourth?.tid).to.equal(3)
    expect(journal.texts(4)).to.deep.equal([undefined, 'first', 'new', 'fourth'])
  })

  it('validates against snapshots that are too old to be remembered', () => {
    const journal = start({ durability: 'os' })
    journal.commit([[1, 'one']])
    journal.commit([[2, 'two']])
    for (let round = 0; round < 70; round++) {
      const base = journal.tid
      journal.batch(Array.from({ length: 1000 }, (_, i) => ({ base, writes: [[10 + i, 'x']] as [Oid, string][] })))
    }
    const [stale, sound] = journal.batch([
      {
        base: 1,
        writes: [
          [1, 'new'],
          [2, 'new'],
        ],
      },
      { base: 1, writes: [[1, 'new']] },
    ])
    expect(stale?.conflicts).to.deep.equal([{ oid: 2, className: 'Text', tid: 2 }])
    expect(sound?.tid).to.equal(70_003)
  })

  it('refuses only the transaction that asks for the impossible', () => {
    const journal = start()
    const [far, future, sound] = journal.batch([
      { base: 0, writes: [[2 ** 50, 'far']] },
      { base: 99, writes: [[1, 'future']] },
      { base: 0, writes: [[1, 'sound']] },
    ])
    expect(far?.error?.code).to.equal('PERDURE_ARGUMENT')
    expect(future?.error?.code).to.equal('PERDURE_ARGUMENT')
    expect(sound?.tid).to.equal(1)
  })

  it('never lets the time of transactions go back', () => {
    const journal = start()
    const { now } = Date
    try {
      Date.now = () => 2_000_000_000_000
      journal.commit([[1, 'late']])
      Date.now = () => 1_000_000_000_000
      journal.commit([[1, 'early']])
    } finally {
      Date.now = now
    }
    close(journal)
    const bytes = readFileSync(path)
    const times = [128, 128 + bytes.readUInt32LE(136)].map((at) => Number(bytes.readBigUInt64LE(at + 24)))
    expect(times).to.deep.equal([2_000_000_000_000, 2_000_000_000_000])
  })

  for (const [operation, code, cause] of [
    ['write', 'ENOSPC', 'PERDURE_NO_SPACE'],
    ['write', 'EIO', 'PERDURE_IO'],
    ['sync', 'EIO', 'PERDURE_IO'],
  ] as const) {
    it(`refuses all commits after a failed ${operation} (${code}), goes on reading, and reopens at the last good state`, () => {
      const journal = start()
      journal.commit([[1, 'good']])
      disk.tornBytes = 100
      failJournal(operation, code)
      const syncs = disk.count('sync', '.perdure')
      const outcomes = journal.batch([
        { base: 1, writes: [[1, 'bad']] },
        { base: 1, writes: [[2, 'bad']] },
      ])
      disk.fault = () => undefined
      outcomes.push(journal.commit([[1, 'later']]))
      for (const outcome of outcomes) {
        expect(outcome).to.have.nested.property('error.code', 'PERDURE_POISONED')
        expect(outcome).to.have.nested.property('cause.code', cause)
      }
      expect(disk.count('sync', '.perdure') - syncs, 'never tried again').to.equal(operation === 'sync' ? 1 : 0)
      expect([journal.tid, journal.text(1), journal.text(2)]).to.deep.equal([1, 'good', undefined])
      expect(statSync(path).size, 'what was not acknowledged is taken back').to.equal(journal.view.state.get('end'))
      close(journal)
      const again = start()
      expect([again.tid, again.text(1), again.text(2)]).to.deep.equal([1, 'good', undefined])
      expect(again.commit([[1, 'better']]).tid).to.equal(2)
    })
  }

  it('is durable up to each acknowledged commit wherever the disk begins to fail', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.constantFrom('EIO', 'ENOSPC'), fc.nat(400), (survives, code, torn) => {
        const failing = new FaultyFileSystem()
        failing.syncs = false
        const journal = start({ checkpointBytes: 2000 }, failing)
        const first = journal.tid
        failing.tornBytes = torn
        let left = survives
        failing.fault = ({ operation }) => (operation !== 'read' && left-- <= 0 ? code : undefined)
        const acknowledged = new Map<Oid, string>()
        for (let i = 0; i < 12; i++) {
          const outcome = journal.commit([[i % 3, `${first} ${i}`]])
          if (outcome.tid !== undefined) acknowledged.set(i % 3, `${first} ${i}`)
          journal.loop.work()
        }
        const tid = journal.tid
        try {
          close(journal)
        } catch {
          // The disk is failing: that closing says so is right.
        }
        const again = start({}, new FaultyFileSystem())
        // What was refused may have reached the disk all the same, if taking it back has failed as well.
        expect(again.tid - tid).to.be.within(0, 1)
        for (const [oid, text] of acknowledged) expect(again.text(oid, tid)).to.equal(text)
        close(again)
      }),
      { numRuns: 60 },
    )
  })

  it('goes on when a checkpoint cannot be written', () => {
    const journal = start({ checkpointBytes: 1000 })
    disk.fault = (event) => (event.path.endsWith('.index.new') && event.operation === 'write' ? 'ENOSPC' : undefined)
    for (let i = 0; i < 50; i++) {
      expect(journal.commit([[i, 'x'.repeat(100)]]).tid).to.equal(i + 1)
      while (journal.loop.hasWork) journal.loop.work()
    }
    close(journal)
    expect(start().loop.recovery).to.include({ checkpoint: 'missing', transactionsReplayed: 50 })
  })

  it('goes on when what is left of a checkpoint cannot be removed either', () => {
    class Stubborn extends FaultyFileSystem {
      override unlink(path: string): void {
        this.perform('truncate', path)
        super.unlink(path)
      }
    }
    const stubborn = new Stubborn()
    const journal = start({ checkpointBytes: 1000 }, stubborn)
    let writes = 0
    stubborn.fault = ({ path: name, operation }) => {
      if (!name.endsWith('.index.new')) return undefined
      if (operation === 'write') writes++
      return writes > 0 ? 'EROFS' : undefined
    }
    for (let i = 0; i < 50; i++) {
      expect(journal.commit([[i, 'x'.repeat(100)]]).tid).to.equal(i + 1)
      while (journal.loop.hasWork) journal.loop.work()
    }
    expect(writes).to.equal(1)
    stubborn.fault = () => undefined
    close(journal)
    expect(start().loop.recovery).to.include({ checkpoint: 'used', transactionsReplayed: 0 })
  })
})

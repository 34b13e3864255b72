import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import type { CommitRequest, CommitResult, TransactionInfo, TransactionRange } from '../../src/core/storage.js'
import { CommitGate } from '../../src/server/commit-gate.js'
import { type OutcomeLimits, OutcomeRegister } from '../../src/server/outcome-register.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { write } from '../../src/testing/suite-context.js'
import { failure } from '../support/errors.js'

/** Keeps what it was given, as a storage with history does, and fails when it is told to. */
class RememberingStorage extends MemoryStorage {
  override readonly capabilities = new Set(['history'] as const)
  readonly history: TransactionInfo[] = []
  failWith: PerdureError | undefined
  failReading: PerdureError | undefined
  historyFrom = 1
  /** How often the history has been read. */
  readings = 0

  override async commit(request: CommitRequest): Promise<CommitResult> {
    const result = await super.commit(request)
    if (this.failWith !== undefined) throw this.failWith
    const { token } = request
    if (result.tid === undefined || token === undefined) return result
    const { tid } = result
    this.history.push({ tid, time: new Date(0), note: '', user: '', bytes: 0, oids: [], token: Uint8Array.from(token) })
    return result
  }

  override async *transactions({ from = 1, to = 1 }: TransactionRange = {}): AsyncGenerator<TransactionInfo> {
    if (this.failReading !== undefined) throw this.failReading
    if (Number(from) < this.historyFrom) throw new PerdureError('PERDURE_HISTORY', 'It is gone.')
    this.readings++
    // As one that reads a file does, it lets others go on meanwhile.
    await nextTurn()
    for (const info of this.history) if (info.tid >= Number(from) && info.tid <= Number(to)) yield info
  }
}

describe('OutcomeRegister', () => {
  let storage: RememberingStorage

  beforeEach(() => {
    storage = new RememberingStorage()
  })

  afterEach(() => storage.close())

  function register(limits?: OutcomeLimits): OutcomeRegister {
    return new OutcomeRegister(storage, new CommitGate(), limits)
  }

  it('knows what was committed, and under which tid', async () => {
    const outcomes = register()
    for (let n = 1; n <= 3; n++) await outcomes.commit(token(n), change(n))
    expect(await outcomes.outcome(token(2), 0)).to.deep.equal({ outcome: 'committed', tid: 2 })
  })

  it('waits for a commit that is under way', async () => {
    const outcomes = register()
    const commit = outcomes.commit(token(1), change(1))
    const outcome = outcomes.outcome(token(1), 0)
    expect((await commit).tid).to.equal(1)
    expect(await outcome).to.deep.equal({ outcome: 'committed', tid: 1 })
  })

  it('refuses for good what it has not seen', async () => {
    const outcomes = register()
    expect(await outcomes.outcome(token(1), 0)).to.deep.equal({ outcome: 'refused' })
    await failure('PERDURE_DISCONNECTED', () => outcomes.commit(token(1), change(1)))
    expect(storage.statistics().tid).to.equal(0)
    expect(await outcomes.outcome(token(1), 0)).to.deep.equal({ outcome: 'refused' })
  })

  it('never lets a commit slip in between the question and the answer', async () => {
    for (let turns = 0; turns < 6; turns++) {
      const outcomes = register()
      const asked = outcomes.outcome(token(turns), 0)
      for (let i = 0; i < turns; i++) await Promise.resolve()
      const committed = await outcomes.commit(token(turns), change(turns)).then(
        ({ tid }) => tid,
        () => undefined,
      )
      const answer = await asked
      expect(answer.outcome).to.equal(committed === undefined ? 'refused' : 'committed')
    }
  })

  it('counts a conflict as refused', async () => {
    const outcomes = register()
    await outcomes.commit(token(1), change(1))
    expect((await outcomes.commit(token(2), change(1))).conflicts).to.have.length(1)
    expect(await outcomes.outcome(token(2), 0)).to.deep.equal({ outcome: 'refused' })
  })

  it('cannot tell of a commit that failed halfway', async () => {
    const outcomes = register()
    storage.failWith = new PerdureError('PERDURE_IO', 'The disk is gone.')
    await failure('PERDURE_IO', () => outcomes.commit(token(1), change(1)))
    expect(await outcomes.outcome(token(1), 0)).to.deep.equal({ outcome: 'unknown' })
    storage.failWith = new PerdureError('PERDURE_OBJECT_MISSING', 'It refers to nothing.')
    await failure('PERDURE_OBJECT_MISSING', () => outcomes.commit(token(2), change(2)))
    expect(await outcomes.outcome(token(2), 0)).to.deep.equal({ outcome: 'refused' })
  })

  it('is not made to doubt everything by commits that make no sense', async () => {
    const outcomes = register({ remembered: 1 })
    const nonsense = { base: 0, reads: [], writes: [{ oid: 1, data: new Uint8Array() }] }
    for (let n = 1; n <= 3; n++) await failure('PERDURE_DECODE', () => outcomes.commit(token(n), nonsense))
    expect(await outcomes.outcome(token(3), 0)).to.deep.equal({ outcome: 'refused' })
  })

  it('takes each token once', async () => {
    const outcomes = register()
    const first = outcomes.commit(token(1), change(1))
    await failure('PERDURE_ARGUMENT', () => outcomes.commit(token(1), change(2)))
    await first
    await failure('PERDURE_ARGUMENT', () => outcomes.commit(token(1), change(3)))
  })

  it('looks up in the history what was committed before it began', async () => {
    const before = register()
    for (let n = 1; n <= 5; n++) await before.commit(token(n), change(n))
    const outcomes = register()
    expect(await outcomes.outcome(token(3), 1)).to.deep.equal({ outcome: 'committed', tid: 3 })
    expect(await outcomes.outcome(token(9), 1)).to.deep.equal({ outcome: 'refused' })
    await failure('PERDURE_DISCONNECTED', () => outcomes.commit(token(9), change(9)))
    // A pack has kept the state as of transaction 2, and what was committed after it.
    storage.history.splice(0, 2)
    storage.historyFrom = 2
    expect(await outcomes.outcome(token(8), 0)).to.deep.equal({ outcome: 'unknown' })
    expect(await outcomes.outcome(token(8), 1)).to.deep.equal({ outcome: 'unknown' })
    expect(await outcomes.outcome(token(8), 2)).to.deep.equal({ outcome: 'refused' })
    storage.historyFrom = 1
    expect(await register({ searched: 2 }).outcome(token(7), 2)).to.deep.equal({ outcome: 'unknown' })
  })

  describe('looking for many commits', () => {
    it('reads the history once for all who wait, and tells each of its own', async () => {
      const before = register()
      for (let n = 1; n <= 20; n++) await before.commit(token(n), change(n))
      const outcomes = register()
      const first = outcomes.outcome(token(1), 0)
      await nextTurn()
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) => outcomes.outcome(token(i + 1), Math.max(0, Math.min(i - 2, 18)))),
      )
      expect(await first).to.deep.equal({ outcome: 'committed', tid: 1 })
      const expected = answers.map((_, i) => (i < 20 ? { outcome: 'committed', tid: i + 1 } : { outcome: 'refused' }))
      expect(answers).to.deep.equal(expected)
      expect(storage.readings).to.equal(2)
    })

    it('is not wrong about one because of another, whose base is older than the history', async () => {
      const before = register()
      for (let n = 1; n <= 6; n++) await before.commit(token(n), change(n))
      const outcomes = register()
      storage.history.splice(0, 3)
      storage.historyFrom = 3
      const asked = [1, 2, 3, 9, 5, 8].map((n, i) => outcomes.outcome(token(n), i))
      expect((await Promise.all(asked)).map(({ outcome }) => outcome)).to.deep.equal([
        'unknown',
        'unknown',
        // Transaction 3 is one of those that were taken together.
        'unknown',
        'refused',
        'committed',
        'refused',
      ])
    })

    it('finds none under a base that is newer than it', async () => {
      const before = register()
      for (let n = 1; n <= 4; n++) await before.commit(token(n), change(n))
      const outcomes = register()
      const [older, newer] = await Promise.all([outcomes.outcome(token(9), 0), outcomes.outcome(token(2), 3)])
      expect([older, newer]).to.deep.equal([{ outcome: 'refused' }, { outcome: 'refused' }])
    })

    it('refuses more than it can remember, and goes on with the others', async () => {
      const before = register()
      for (let n = 1; n <= 3; n++) await before.commit(token(n), change(n))
      const outcomes = register({ remembered: 2 })
      const asked = [1, 2].map((n) => outcomes.outcome(token(n), 0))
      await failure('PERDURE_BUSY', () => outcomes.outcome(token(3), 0))
      expect((await Promise.all(asked)).map(({ outcome }) => outcome)).to.deep.equal(['committed', 'committed'])
      expect(await outcomes.outcome(token(3), 0)).to.deep.equal({ outcome: 'committed', tid: 3 })
    })

    it('tells all who wait what has gone wrong, and tries again for the next', async () => {
      const before = register()
      for (let n = 1; n <= 3; n++) await before.commit(token(n), change(n))
      const outcomes = register()
      storage.failReading = new PerdureError('PERDURE_IO', 'The disk is gone.')
      const asked = [1, 2].map((n) => outcomes.outcome(token(n), 0))
      for (const answer of asked) await failure('PERDURE_IO', () => answer)
      storage.failReading = undefined
      expect(await outcomes.outcome(token(3), 0)).to.deep.equal({ outcome: 'committed', tid: 3 })
    })
  })

  it('cannot tell of the time before it began without a history', async () => {
    const plain = new MemoryStorage()
    await plain.commit({ base: 0, reads: [], writes: [write(0, 'root')] })
    const outcomes = new OutcomeRegister(plain, new CommitGate())
    expect(await outcomes.outcome(token(1), 0)).to.deep.equal({ outcome: 'unknown' })
    expect(await outcomes.outcome(token(2), 1)).to.deep.equal({ outcome: 'refused' })
    await failure('PERDURE_ARGUMENT', () => outcomes.outcome(token(3), 2))
    await plain.close()
  })

  it('forgets the oldest, and does not mistake them for refused ones', async () => {
    const outcomes = register({ remembered: 2 })
    for (let n = 1; n <= 4; n++) await outcomes.commit(token(n), change(n))
    expect(await outcomes.outcome(token(1), 0)).to.deep.equal({ outcome: 'committed', tid: 1 })
    storage.historyFrom = 9
    expect(await outcomes.outcome(token(1), 0)).to.deep.equal({ outcome: 'unknown' })
    expect(await outcomes.outcome(token(4), 3)).to.deep.equal({ outcome: 'committed', tid: 4 })
  })

  it('keeps to its word for fences it has forgotten', async () => {
    const outcomes = register({ remembered: 2 })
    await outcomes.commit(token(9), change(9))
    for (let n = 1; n <= 3; n++) expect((await outcomes.outcome(token(n), 0)).outcome).to.equal('refused')
    for (let n = 1; n <= 3; n++) await failure('PERDURE_DISCONNECTED', () => outcomes.commit(token(n), change(n)))
  })

  it('lets nobody keep all others from committing by asking for what there never was', async () => {
    const outcomes = register({ remembered: 2 })
    await outcomes.commit(token(1), change(1))
    const answers: string[] = []
    for (let n = 2; n <= 9; n++) answers.push((await outcomes.outcome(token(n), 1)).outcome)
    expect(answers).to.deep.equal(['refused', 'refused', ...Array.from({ length: 6 }, () => 'unknown')])
    const next = { ...change(1), base: 1 }
    expect((await outcomes.commit(token(10), next)).tid).to.equal(2)
    for (let n = 2; n <= 3; n++) await failure('PERDURE_DISCONNECTED', () => outcomes.commit(token(n), change(n)))
    expect(await outcomes.outcome(token(11), 2)).to.deep.equal({ outcome: 'refused' })
    expect((await outcomes.commit(token(12), { ...change(1), base: 2 })).tid).to.equal(3)
  })
})

function token(n: number): Uint8Array {
  return Buffer.alloc(16, n)
}

function change(n: number): CommitRequest {
  return { base: 0, reads: [], writes: [write(n, `${n}`)] }
}

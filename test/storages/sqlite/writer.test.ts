import { expect } from 'chai'
import { PerdureError } from '../../../src/core/errors.js'
import type { Oid, Tid } from '../../../src/core/oid.js'
import { encodeRecord } from '../../../src/core/record.js'
import { Reference } from '../../../src/core/reference.js'
import type { SqliteConnection, SqliteEngine } from '../../../src/storages/sqlite/engine.js'
import { loadSqlite } from '../../../src/storages/sqlite/load-engine.js'
import { Removal } from '../../../src/storages/sqlite/removal.js'
import { readMeta } from '../../../src/storages/sqlite/schema.js'
import { DatabaseWriter } from '../../../src/storages/sqlite/writer.js'
import type { CommitOutcome } from '../../../src/workers/messages.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const nobody = () => new Set<Tid>()

/** An engine whose connections fail when a statement is to be run. */
function failing(engine: SqliteEngine, fails: (sql: string) => boolean): SqliteEngine {
  return {
    name: engine.name,
    open(path, options) {
      const connection = engine.open(path, options)
      const exec = (sql: string) => {
        if (fails(sql)) throw new PerdureError('PERDURE_IO', `${sql} has failed`)
        connection.exec(sql)
      }
      const around: SqliteConnection = {
        path,
        exec,
        prepare: (sql) => connection.prepare(sql),
        close: () => connection.close(),
      }
      return around
    },
  }
}

describe('DatabaseWriter', () => {
  let directory: TemporaryDirectory
  let engine: SqliteEngine
  let writer: DatabaseWriter

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    engine = await loadSqlite()
  })

  afterEach(() => {
    writer.close()
    directory.remove()
  })

  function open(by = engine): DatabaseWriter {
    const settings = { path: directory.join('a.sqlite'), durability: 'os' as const, serializer: 'msgpack' }
    writer = new DatabaseWriter(by, { ...settings, cacheBytes: 1_000_000 })
    return writer
  }

  /** Commits at the newest transaction: oids, with what they refer to. */
  function commit(objects: Record<Oid, readonly Oid[]>, base = writer.newest.tid): CommitOutcome {
    return commitAll([objects], base)[0] as CommitOutcome
  }

  function commitAll(transactions: readonly Record<Oid, readonly Oid[]>[], base: Tid): CommitOutcome[] {
    const outcomes: CommitOutcome[] = []
    writer.runBatch(
      transactions.map((objects) => {
        const oids = Object.keys(objects).map(Number)
        const parts = oids.map((oid) => {
          const references = (objects[oid] ?? []).map((target) => new Reference(target, 'Thing'))
          return encodeRecord('Thing', references, Buffer.from(`${oid}`))
        })
        let end = 0
        const ends = parts.map(({ length }) => (end += length))
        const data = Uint8Array.from(Buffer.concat(parts))
        const remarks = { note: '', user: '', token: undefined, restoredAt: undefined }
        return {
          message: { base, reads: [], oids, ends, data, ...remarks },
          answer: (outcome: CommitOutcome) => outcomes.push(outcome),
        }
      }),
    )
    return outcomes
  }

  function removal(garbage: readonly Oid[], ended: unknown[] = [], onPrepared = () => {}): Removal {
    const { tid } = writer.newest
    const request = {
      seen: tid,
      historyFrom: tid,
      garbage: Float64Array.from(garbage),
      superseded: new Float64Array(),
    }
    const events = { onPrepared, onRemoved: () => {}, onEnd: (outcome: unknown) => void ended.push(outcome) }
    return new Removal(writer, request, nobody, events)
  }

  function exists(oid: Oid): boolean {
    return writer.statements.newestVersion(oid)?.removed === false
  }

  it('takes back a whole batch when something cannot be written, and goes on', () => {
    let fails = false
    open(failing(engine, (sql) => fails && sql === 'begin immediate'))
    expect(commit({ 0: [] }).tid).to.equal(1)
    fails = true
    expect(commit({ 1: [] }).error?.code).to.equal('PERDURE_IO')
    fails = false
    expect(commit({ 2: [] }).tid).to.equal(2)
    expect([exists(0), exists(1), exists(2)]).to.deep.equal([true, false, true])
  })

  it('refuses everything after a commit has failed half-way', () => {
    let fails = false
    open(failing(engine, (sql) => fails && sql === 'commit'))
    expect(commit({ 0: [] }).tid).to.equal(1)
    fails = true
    const outcomes = commitAll([{ 1: [] }, { 2: [] }], 1)
    expect(outcomes.map(({ error }) => error?.code)).to.deep.equal(['PERDURE_POISONED', 'PERDURE_POISONED'])
    expect(outcomes[0]?.error?.cause?.code).to.equal('PERDURE_IO')
    fails = false
    expect(commit({ 3: [] }).error?.code).to.equal('PERDURE_POISONED')
    expect(writer.published.get('tid')).to.equal(1)
    writer.close()
    open()
    expect(commit({ 3: [] }, 1).tid).to.equal(2)
  })

  it('has stored nothing when the disk is full, and goes on when there is room', () => {
    open()
    commit({ 0: [] })
    const [pages] = writer.connection.prepare<[number]>('pragma page_count').get() ?? [0]
    writer.connection.exec(`pragma max_page_count = ${pages}`)
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [i + 1, []]))
    expect(commit(many).error?.code).to.equal('PERDURE_NO_SPACE')
    expect([writer.newest.tid, exists(1)]).to.deep.equal([1, false])
    writer.connection.exec('pragma max_page_count = 1000000')
    expect(commit(many).tid).to.equal(2)
    expect(exists(1000)).to.equal(true)
  })

  it('publishes nothing before it is stored', () => {
    const seen: number[] = []
    open(
      failing(engine, (sql) => {
        if (sql === 'commit') seen.push(writer?.published.get('tid') ?? 0)
        return false
      }),
    )
    seen.length = 0
    commit({ 0: [] })
    commit({ 1: [] })
    expect(seen).to.deep.equal([0, 1])
  })

  describe('while garbage is removed', () => {
    /** The root refers to 1; 2 to 3, 3 to 4 and 4 to 2 are garbage, and so are a thousand others. */
    const OTHERS = Array.from({ length: 1500 }, (_, i) => 10 + i)

    function plant(): Oid[] {
      open()
      commit({ 0: [1], 1: [], 2: [3], 3: [4], 4: [2] })
      commit(Object.fromEntries(OTHERS.map((oid) => [oid, []])))
      return [2, 3, 4, ...OTHERS]
    }

    /** Runs it up to where it waits. */
    function prepare(work: Removal): void {
      while (work.step());
    }

    it('spares what a commit refers to until the last moment, with all that it reaches', () => {
      const ended: unknown[] = []
      const work = removal(plant(), ended)
      work.step()
      expect(commit({ 1: [3] }).tid).to.equal(3)
      prepare(work)
      expect(commit({ 5: [10] }).tid).to.equal(4)
      work.proceed()
      while (work.step());
      expect(ended).to.deep.equal(['done'])
      expect([2, 3, 4, 5, 10].map(exists)).to.deep.equal([true, true, true, true, true])
      expect(OTHERS.slice(1).some(exists)).to.equal(false)
      expect(writer.published.get('objects')).to.equal(7)
    })

    it('lets nobody refer to what is doomed, even if it is still there', () => {
      const work = removal(plant())
      prepare(work)
      work.proceed()
      work.step()
      const last = OTHERS.at(-1) as Oid
      expect(exists(last), 'it has not come to all').to.equal(true)
      expect(commit({ 1: [last] }).error?.code).to.equal('PERDURE_OBJECT_MISSING')
      expect(commit({ 1: [last], [last]: [] }).tid, 'what is stored anew is there').to.be.a('number')
      expect(commit({ 6: [last] }).tid).to.be.a('number')
      while (work.step());
      expect([last, OTHERS[5] as Oid].map(exists)).to.deep.equal([true, false])
    })

    it('changes nothing when it is given up', () => {
      const ended: unknown[] = []
      const work = removal(plant(), ended, () => work.cancel())
      while (work.step());
      expect(ended).to.deep.equal(['cancelled'])
      expect(OTHERS.every(exists)).to.equal(true)
      expect(writer.newest.tid).to.equal(2)
      expect(commit({ 1: [2] }).tid).to.equal(3)
    })

    it('is finished by the next pack if it has failed, and nobody can refer to the garbage meanwhile', () => {
      const garbage = plant()
      const ended: unknown[] = []
      const work = removal(garbage, ended)
      prepare(work)
      work.proceed()
      work.step()
      writer.connection.exec('create trigger full before insert on records begin select raise(abort, "full"); end')
      while (work.step());
      expect(ended[0]).to.be.an.instanceOf(PerdureError)
      writer.connection.exec('drop trigger full')
      const last = OTHERS.at(-1) as Oid
      expect(exists(last)).to.equal(true)
      expect(commit({ 1: [last] }).error?.code).to.equal('PERDURE_OBJECT_MISSING')
      Removal.resume(writer, nobody)?.finish()
      expect(garbage.some(exists)).to.equal(false)
      expect(commit({ 1: [0] }).tid).to.be.a('number')
    })

    it('is finished by the next process', () => {
      const work = removal(plant())
      prepare(work)
      work.proceed()
      work.step()
      expect(OTHERS.some(exists) && !OTHERS.every(exists), 'in the middle').to.equal(true)
      writer.close()
      open()
      const resumed = Removal.resume(writer, nobody)
      expect(commit({ 1: [OTHERS.at(-1) as Oid] }).error?.code).to.equal('PERDURE_OBJECT_MISSING')
      while (resumed?.step());
      expect([2, 3, 4, ...OTHERS].some(exists)).to.equal(false)
      expect(readMeta(writer.connection)).to.include({ removing: 0, historyFrom: 2 })
      expect(writer.published.get('objects')).to.equal(2)
      expect(Removal.resume(writer, nobody)?.step()).to.not.equal(true)
    })

    it('keeps what is doomed from being referred to when it fails half-way, and goes on later', () => {
      let broken = false
      const oids = plant()
      writer.close()
      open(failing(engine, (sql) => broken && sql === 'begin immediate'))
      const ended: unknown[] = []
      const work = removal(oids, ended)
      prepare(work)
      work.proceed()
      work.step()
      broken = true
      while (work.step());
      expect(ended).to.have.nested.property('[0].code', 'PERDURE_IO')
      broken = false
      const last = OTHERS.at(-1) as Oid
      expect(exists(last)).to.equal(true)
      expect(commit({ 1: [last] }).error?.code).to.equal('PERDURE_OBJECT_MISSING')
      const resumed = Removal.resume(writer, nobody)
      while (resumed?.step());
      expect(OTHERS.some(exists)).to.equal(false)
      expect(readMeta(writer.connection)).to.include({ removing: 0 })
      expect(commit({ [last]: [], 1: [last] }).error).to.equal(undefined)
    })
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import type { Oid, Tid } from '../../../src/core/oid.js'
import type { StoredRecord } from '../../../src/core/storage.js'
import { RangeLog } from '../../../src/storages/client/range-log.js'
import { SharedRecords } from '../../../src/storages/client/shared-records.js'

const OIDS = 6

/** Each transaction writes these oids. Tids count from 1. */
const transactions = fc.array(fc.uniqueArray(fc.nat(OIDS - 1), { minLength: 1 }), { minLength: 10, maxLength: 40 })

function version(written: readonly (readonly Oid[])[], oid: Oid, tid: Tid): Tid {
  for (let at = tid; at > 0; at--) if (written[at - 1]?.includes(oid)) return at
  return 0
}

function record(oid: Oid, tid: Tid): StoredRecord {
  return { oid, tid, data: Buffer.from(`${oid} at ${tid}`) }
}

describe('SharedRecords', () => {
  /** What a client does: hears of transactions, some at a time, and keeps what it loads at one of its snapshots. */
  const steps = fc.array(
    fc.record({
      hears: fc.nat(3),
      snapshot: fc.double({ min: 0, max: 1, noNaN: true }),
      oids: fc.uniqueArray(fc.nat(OIDS - 1)),
    }),
    { minLength: 10, maxLength: 40 },
  )

  it('never gives a snapshot another version than its own', () => {
    let found = 0
    fc.assert(
      fc.property(transactions, steps, fc.integer({ min: 300, max: 4000 }), (written, program, cacheBytes) => {
        const shared = new SharedRecords(cacheBytes, () => {})
        shared.saw(0)
        let known = 0
        for (const { hears, snapshot, oids } of program) {
          const upTo = Math.min(written.length, known + hears)
          if (upTo > known)
            shared.changed({ type: 'changed', after: known, upTo, oids: written.slice(known, upTo).flat() })
          known = upTo
          const at = Math.round(snapshot * known)
          const loaded = oids.map((oid) => record(oid, version(written, oid, at))).filter(({ tid }) => tid > 0)
          shared.keep(loaded, oids[0] ?? 0, at)
          expect(shared.cachedBytes).to.be.at.most(cacheBytes)
          for (let oid = 0; oid < OIDS; oid++) {
            for (let tid = 0; tid <= known; tid++) {
              const cached = shared.find(oid, tid)
              if (cached === undefined) continue
              found++
              expect(cached.tid).to.equal(version(written, oid, tid))
              expect(Buffer.from(cached.data).toString()).to.equal(`${oid} at ${cached.tid}`)
            }
          }
        }
      }),
    )
    expect(found).to.be.greaterThan(100)
  })

  it('knows what is current as long as nothing is said to have changed', () => {
    const shared = new SharedRecords(10_000, () => {})
    shared.saw(5)
    shared.keep([record(1, 3), record(2, 5)], 1, 5)
    shared.changed({ type: 'changed', after: 5, upTo: 6, oids: [2] })
    expect(shared.find(1, 6)?.tid).to.equal(3)
    expect([shared.find(2, 6), shared.find(2, 5)?.tid]).to.deep.equal([undefined, 5])
    expect(shared.find(1, 2), 'it did not exist then').to.equal(undefined)
    shared.keep([record(1, 3), record(2, 5)], 1, 5)
    expect(shared.find(1, 6)?.tid, 'loaded at an older snapshot, and not changed since').to.equal(3)
    expect(shared.find(2, 6), 'loaded at an older snapshot, and changed since').to.equal(undefined)
  })

  it('forgets everything when nobody can tell what has changed', () => {
    for (const lose of [
      (shared: SharedRecords) => shared.changed({ type: 'changed', after: 5, upTo: 7, oids: undefined }),
      (shared: SharedRecords) => shared.changed({ type: 'changed', after: 6, upTo: 7, oids: [3] }),
      (shared: SharedRecords) => shared.saw(7),
    ]) {
      const shared = new SharedRecords(10_000, () => {})
      shared.saw(5)
      shared.keep([record(1, 3)], 1, 5)
      lose(shared)
      expect(shared.find(1, 7)).to.equal(undefined)
      expect(shared.changes(5, 7)).to.equal(undefined)
      expect(shared.cachedBytes).to.equal(0)
    }
  })

  it('notices a server that has gone back', () => {
    const shared = new SharedRecords(10_000, () => {})
    shared.saw(5)
    shared.restart()
    shared.saw(5)
    expect(shared.hasGoneBack).to.equal(false)
    shared.restart()
    shared.saw(4)
    expect(shared.hasGoneBack).to.equal(true)
  })

  it('does not take a look at the past, first thing after a reconnection, for a server that has gone back', () => {
    const shared = new SharedRecords(10_000, () => {})
    shared.saw(5)
    shared.restart()
    shared.changed({ type: 'changed', after: 0, upTo: 2, oids: undefined })
    expect(shared.hasGoneBack).to.equal(false)
    shared.changed({ type: 'changed', after: 2, upTo: 5, oids: [1] })
    shared.saw(5)
    expect(shared.hasGoneBack).to.equal(false)
  })

  it('does not hold on to memory that is mostly of others', () => {
    const shared = new SharedRecords(1_000_000, () => {})
    shared.saw(1)
    const large = Buffer.alloc(500_000)
    shared.keep([{ oid: 1, tid: 1, data: large.subarray(0, 100) }], 1, 1)
    expect(shared.cachedBytes).to.be.below(1000)
    expect(shared.find(1, 1)?.data.buffer.byteLength).to.equal(100)
  })
})

describe('RangeLog', () => {
  it('knows what has changed between any two transactions, or that it does not know', () => {
    fc.assert(
      fc.property(
        transactions,
        fc.array(fc.integer({ min: 1, max: 4 })),
        fc.integer({ min: 1, max: 60 }),
        (written, sizes, limit) => {
          const log = new RangeLog(limit)
          log.restart(0)
          let upTo = 0
          for (let i = 0; upTo < written.length; i++) {
            const next = Math.min(written.length, upTo + (sizes[i] ?? 1))
            log.append(next, written.slice(upTo, next).flat())
            upTo = next
          }
          for (let after = 0; after <= upTo; after++) {
            for (let to = after; to <= upTo; to++) {
              const changes = log.between(after, to)
              if (changes !== undefined)
                expect([...changes, -1]).to.include.members([...written.slice(after, to).flat(), -1])
            }
            for (let oid = 0; oid < OIDS; oid++) {
              if (log.isUnchangedSince(oid, after)) expect(written.slice(after).flat()).not.to.include(oid)
            }
          }
          expect(log.between(upTo - 1, upTo), 'the newest is known').not.to.equal(undefined)
          expect(log.between(upTo, upTo + 1), 'the future is not').to.equal(undefined)
        },
      ),
    )
  })
})

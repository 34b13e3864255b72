import { expect } from 'chai'
import fc from 'fast-check'
import { OidReserve } from '../../../src/storages/client/oid-reserve.js'

const steps = fc.array(
  fc.oneof(
    fc.record({
      type: fc.constant('allocate' as const),
      count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(3000)),
    }),
    fc.record({ type: fc.constant('commit' as const), pick: fc.nat(), count: fc.integer({ min: 1, max: 10 }) }),
    fc.record({ type: fc.constant('restart' as const) }),
  ),
  { maxLength: 60 },
)

describe('OidReserve', () => {
  it('gives out each oid once, and finds those that a server has forgotten', () => {
    fc.assert(
      fc.property(steps, (program) => {
        const reserve = new OidReserve()
        const pending: number[] = []
        const lost = new Set<number>()
        const committed = new Set<number>()
        let next = 1
        const fetch = (count: number) => {
          next += count
          return next - count
        }
        for (const step of program) {
          if (step.type === 'allocate') {
            const first = reserve.allocate(step.count, fetch)
            for (let oid = first; oid < first + step.count; oid++) {
              expect(lost.has(oid) || committed.has(oid) || pending.includes(oid), `oid ${oid} twice`).to.equal(false)
            }
            for (let oid = first; oid < first + Math.min(step.count, 20); oid++) pending.push(oid)
          } else if (step.type === 'commit') {
            const oids = pending.splice(pending.length === 0 ? 0 : step.pick % pending.length, step.count)
            reserve.committed([...oids, 0])
            for (const oid of oids) committed.add(oid)
          } else {
            reserve.serverRestarted()
            for (const oid of pending.splice(0)) lost.add(oid)
            // It knows only of what was committed.
            next = Math.max(0, ...committed) + 1
          }
          const writes = (oids: Iterable<number>) => Array.from(oids, (oid) => ({ oid, data: new Uint8Array() }))
          expect(reserve.findLost(writes([...committed, ...pending]))).to.equal(undefined)
          for (const oid of lost) expect(reserve.findLost(writes([...committed, oid]))).to.equal(oid)
        }
      }),
    )
  })

  it('seldom asks the server', () => {
    const reserve = new OidReserve()
    let asked = 0
    for (let i = 0; i < 10_000; i++) reserve.allocate(1, (count) => ++asked * 1_000_000 - count)
    expect(asked).to.be.at.most(10)
  })
})

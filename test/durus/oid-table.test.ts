import { expect } from 'chai'
import fc from 'fast-check'
import { MAX_ID } from '../../src/core/oid.js'
import { OidTable } from '../../src/durus/oid-table.js'

const oid = fc.oneof(
  fc.nat(3000),
  fc.maxSafeNat(),
  fc.nat(3000).map((n) => n * 2 ** 32),
  fc.nat(3000).map((n) => n * 2 ** 10),
)

describe('OidTable', () => {
  it('has the last number of each oid, and all of them in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(oid, fc.maxSafeNat()), { maxLength: 4000, size: 'max' }), (entries) => {
        const [table, model] = [new OidTable(), new Map<number, number>()]
        for (const [oid, value] of entries) {
          table.set(oid, value)
          model.set(oid, value)
          expect(table.get(oid)).to.equal(value)
        }
        expect(table.count).to.equal(model.size)
        for (const [oid, value] of model) expect(table.get(oid)).to.equal(value)
        expect([...table.sortedValues()]).to.deep.equal([...model.values()].sort((a, b) => a - b))
      }),
      { numRuns: 20 },
    )
  })

  it('knows nothing of other oids', () => {
    const table = new OidTable()
    for (let oid = 0; oid < 10_000; oid += 2) table.set(oid, 1)
    for (let oid = 1; oid < 10_000; oid += 2) expect(table.get(oid)).to.equal(undefined)
    expect(table.get(MAX_ID)).to.equal(undefined)
    table.set(MAX_ID, 0)
    expect([table.get(MAX_ID), table.get(MAX_ID - 1), table.count]).to.deep.equal([0, undefined, 5001])
  })

  it('is not slowed down by oids that were chosen for it', () => {
    const choices: ((n: number) => number)[] = [
      (n) => n * 2 ** 32,
      (n) => n * 2 ** 20,
      (n) => n * 2 ** 32 + (Math.imul(n, 0x9e3779b1) >>> 0),
      (n) => (n % 4096) * 2 ** 20 + Math.floor(n / 4096) * 2 ** 42,
    ]
    for (const choose of choices) {
      const table = new OidTable()
      for (let n = 0; n < 200_000; n++) table.set(choose(n), n)
      expect(table.count).to.equal(200_000)
      expect(table.get(choose(123_456))).to.equal(123_456)
    }
  })
})

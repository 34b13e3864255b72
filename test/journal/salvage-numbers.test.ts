import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import fc from 'fast-check'
import { crcSeed } from '../../src/journal/crc-seed.js'
import { NumberRows } from '../../src/journal/number-rows.js'
import { OidNumbers } from '../../src/journal/oid-numbers.js'
import { MissingTids } from '../../src/journal/salvage.js'

describe('crcSeed', () => {
  it('is the inverse of crc32', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(2 ** 32 - 1), (bytes, seed) => {
        expect(crcSeed(bytes, crc32(bytes, seed))).to.equal(seed)
      }),
    )
  })
})

describe('NumberRows', () => {
  it('holds rows, and sorts them by two columns', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(9)), { maxLength: 300 }), (pairs) => {
        const rows = new NumberRows('a', 'b')
        for (const [a, b] of pairs) rows.push({ b, a })
        expect(Array.from({ length: rows.length }, (_, i) => rows.at(i))).to.deep.equal(
          pairs.map(([a, b]) => ({ a, b })),
        )
        const sorted = [...rows.sorted('a', 'b')].map((row) => rows.at(row))
        expect(sorted).to.deep.equal(pairs.map(([a, b]) => ({ a, b })).sort((x, y) => x.a - y.a || x.b - y.b))
      }),
    )
  })
})

describe('OidNumbers', () => {
  it('does the same as a Map', () => {
    const oid = fc.oneof(fc.nat(10_000), fc.nat(2 ** 32 - 1))
    fc.assert(
      fc.property(fc.array(fc.tuple(oid, fc.nat())), fc.array(oid), (entries, others) => {
        const numbers = new OidNumbers()
        const model = new Map<number, number>()
        for (const [key, value] of entries) {
          expect(numbers.get(key)).to.equal(model.get(key) ?? 0)
          numbers.set(key, value)
          model.set(key, value)
        }
        for (const key of [...others, ...model.keys()]) expect(numbers.get(key)).to.equal(model.get(key) ?? 0)
      }),
    )
  })
})

describe('MissingTids', () => {
  it('are those between the transactions on both sides of a gap, and behind the last', () => {
    const gaps = [
      { from: 128, to: 1000, tidBefore: 0, tidAfter: 3 },
      { from: 2000, to: 2080, tidBefore: 9, tidAfter: 10 },
      { from: 3000, to: 4000, tidBefore: 12, tidAfter: 15 },
      { from: 5000, to: 5800, tidBefore: 20, tidAfter: undefined },
    ]
    const missing = new MissingTids(gaps, 5800)
    const found = Array.from({ length: 50 }, (_, tid) => tid).filter((tid) => missing.has(tid))
    expect(found).to.deep.equal([1, 2, 13, 14, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30])
    expect(missing.gapOf(14)).to.equal(gaps[2])
    expect(new MissingTids([], 5800).has(1)).to.equal(false)
  })
})

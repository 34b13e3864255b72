import { expect } from 'chai'
import { OidNumbering } from '../../../src/core/graph/oid-numbering.js'

describe('OidNumbering', () => {
  it('keeps the numbers of oids that were far from all others until there were more', () => {
    const numbering = new OidNumbering()
    const far = 2 ** 26
    const oids = [far, 5, 2 ** 50, 16e6, 32e6, 48e6, 64e6, far + 1024, far + 1]
    expect(oids.map((oid) => numbering.numberOf(oid))).to.deep.equal([...oids.keys()])
    expect(oids.map((oid) => numbering.find(oid))).to.deep.equal([...oids.keys()])
    expect([...numbering.entries()].map(([oid]) => oid)).to.deep.equal(oids.toSorted((a, b) => a - b))
    for (const oid of [4, far + 2, far + 2048, 2 ** 50 + 1, 2 ** 52]) expect(numbering.find(oid)).to.equal(-1)
    expect(numbering.count).to.equal(oids.length)
  })
})

import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { baseEnd, layOutBase } from '../../src/journal/base-layout.js'
import { MAX_RECORD_BYTES, MAX_TRANSACTION_BYTES } from '../../src/journal/format.js'
import { type PackTables, reservePackTables } from '../../src/journal/pack-tables.js'

/** Tables of a pack that keeps objects of these sizes, in this order. */
function keeping(...lengths: readonly number[]): PackTables {
  const tables = reservePackTables(lengths.length, 0)
  tables.lengths.set(lengths)
  tables.order.set(lengths.map((_, oid) => oid))
  tables.found = lengths.length
  return tables
}

describe('layOutBase', () => {
  it('fills one transaction after another, with the tids up to the newest', () => {
    const transactions = layOutBase(keeping(8, 8, 8, 100, 8), 10, 64 + 16 + 2 * 40)
    expect(transactions).to.deep.equal([
      { tid: 7, position: 128, length: 160, first: 0, count: 2 },
      { tid: 8, position: 288, length: 120, first: 2, count: 1 },
      { tid: 9, position: 408, length: 216, first: 3, count: 1 },
      { tid: 10, position: 624, length: 120, first: 4, count: 1 },
    ])
    expect(baseEnd(transactions)).to.equal(744)
  })

  it('has a transaction even if nothing is kept, unless there was none', () => {
    expect(layOutBase(keeping(), 3)).to.deep.equal([{ tid: 3, position: 128, length: 80, first: 0, count: 0 }])
    expect(layOutBase(keeping(), 0)).to.deep.equal([])
    expect(baseEnd([])).to.equal(128)
  })

  it('makes transactions longer if there are few tids', () => {
    const tables = keeping(...new Array<number>(1000).fill(100))
    for (const newest of [1, 2, 3, 50]) expect(layOutBase(tables, newest, 200)).to.have.length.within(1, newest)
  })

  it('does not make any that is longer than a transaction may be', () => {
    const tables = keeping(...new Array<number>(33).fill(MAX_RECORD_BYTES))
    const transactions = layOutBase(tables, 3)
    expect(transactions).to.have.length(3)
    for (const { length } of transactions) expect(length).to.be.at.most(MAX_TRANSACTION_BYTES)
    expect(() => layOutBase(tables, 2))
      .to.throw(PerdureError, /Commit something/)
      .with.property('code', 'PERDURE_LIMIT')
  })
})

import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { BYTES_PER_OBJECT, reservePackTables, UNREAD } from '../../src/journal/pack-tables.js'
import { ReferenceWriter } from '../../src/journal/reference-writer.js'

describe('PackTables', () => {
  it('take as many bytes for an object as they say', () => {
    const { memory } = reservePackTables(1000, 4000)
    const { positions, lengths, places, marks, order, references } = memory
    const bytes = [positions, lengths, places, marks, order].reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(bytes).to.equal(1000 * BYTES_PER_OBJECT)
    expect(references.byteLength).to.equal(4000)
  })

  it('say how much memory is missing', () => {
    expect(() => reservePackTables(2 ** 50, 0))
      .to.throw(PerdureError, /Not enough memory for the tables of a pack/)
      .with.property('code', 'PERDURE_LIMIT')
  })

  it('hold references as long as there is room, whichever thread writes them', () => {
    const tables = reservePackTables(10, 4 * (1 + 3 * 4))
    tables.positions.fill(1000)
    const writers = [new ReferenceWriter(tables), new ReferenceWriter(tables)] as const
    const places = [1, 2, 3, 4].map((oid) => writers[oid % 2 === 0 ? 0 : 1].add(Float64Array.of(oid, 0, oid), 3))
    expect(places.slice(0, 3).map((place) => [...tables.references.subarray(place, place + 4)])).to.deep.equal([
      [3, 1, 0, 1],
      [3, 2, 0, 2],
      [3, 3, 0, 3],
    ])
    expect(places[3]).to.equal(UNREAD)
    expect(writers[0].add(new Float64Array(), 0), 'nothing needs no room').to.equal(0)
  })

  it('leave out references to objects that are not there', () => {
    const tables = reservePackTables(4, 1000)
    tables.positions.set([500, 0, -1, 600])
    const writer = new ReferenceWriter(tables)
    const place = writer.add(Float64Array.of(0, 1, 2, 3, 4, 2 ** 52), 6)
    expect([...tables.references.subarray(place, place + 3)]).to.deep.equal([2, 0, 3])
    expect(writer.add(Float64Array.of(1, 2), 2)).to.equal(0)
  })
})

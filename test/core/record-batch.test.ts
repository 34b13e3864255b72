import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { encodeRecord } from '../../src/core/record.js'
import { RecordBatchBuilder } from '../../src/core/record-batch.js'
import { Reference } from '../../src/core/reference.js'

describe('RecordBatchBuilder', () => {
  const record = (className: string, references: readonly number[]) =>
    encodeRecord(
      className,
      references.map((oid) => new Reference(oid, 'Target')),
      Uint8Array.of(1, 2, 3),
    )

  it('collects what stands before the states, in one buffer', () => {
    const builder = new RecordBatchBuilder()
    builder.add({ oid: 7, tid: 1, data: record('A', [8, 9]) })
    builder.add({ oid: 8, tid: 2, data: record('B', []) })
    builder.add({ oid: 2 ** 53 - 1, tid: 3, data: record('A', [7, 7, 2 ** 53 - 1]) })
    const batch = builder.take()
    expect(batch).to.deep.equal({
      oids: Float64Array.of(7, 8, 2 ** 53 - 1),
      tids: Float64Array.of(1, 2, 3),
      bytes: Uint32Array.of(
        record('A', [8, 9]).length,
        record('B', []).length,
        record('A', [7, 7, 2 ** 53 - 1]).length,
      ),
      classes: Uint32Array.of(0, 1, 0),
      classNames: ['A', 'B'],
      referenceEnds: Uint32Array.of(2, 2, 5),
      references: Float64Array.of(8, 9, 7, 7, 2 ** 53 - 1),
    })
    const { buffer } = batch.oids
    for (const array of [batch.tids, batch.bytes, batch.classes, batch.referenceEnds, batch.references]) {
      expect(array.buffer).to.equal(buffer)
    }
    expect(builder.isEmpty).to.equal(true)
    builder.add({ oid: 1, tid: 1, data: record('C', []) })
    expect(builder.take().classNames).to.deep.equal(['C'])
    expect(batch.oids[0], 'a batch that was taken stays').to.equal(7)
  })

  it('grows as far as it must', () => {
    const builder = new RecordBatchBuilder()
    const count = 50_000
    for (let oid = 0; oid < count; oid++) builder.add({ oid, tid: oid + 1, data: record('A', [oid + 1, oid + 2]) })
    expect(builder.isFull).to.equal(true)
    const { oids, tids, references, referenceEnds } = builder.take()
    expect([oids.length, tids.at(-1), references.length, referenceEnds.at(-1)]).to.deep.equal([
      count,
      count,
      2 * count,
      2 * count,
    ])
    expect(references.at(-1)).to.equal(count + 1)
  })

  it('reads a record that lies among other bytes, and no further', () => {
    const data = record('A', [5])
    const around = Uint8Array.from([9, 9, ...data, 200, 200])
    const builder = new RecordBatchBuilder()
    builder.addFrom(1, 1, around, 2, 2 + data.length)
    expect([...builder.take().references]).to.deep.equal([5])
    // Of the record without its state nothing may be missing, though bytes follow.
    for (let length = 0; length < data.length - 3; length++) {
      expect(() => builder.addFrom(1, 1, around, 2, 2 + length), `${length} bytes`).to.throw(PerdureError)
    }
    expect(builder.isEmpty).to.equal(true)
  })

  it('names the object of which the record makes no sense, and leaves it out', () => {
    const builder = new RecordBatchBuilder()
    builder.add({ oid: 1, tid: 1, data: record('A', [2]) })
    for (const data of [[], [0], [9], [1, 1, 65, 200], [1, 1, 65, 1, 0]]) {
      const add = () => builder.add({ oid: 77, tid: 1, data: Uint8Array.from(data) })
      expect(add)
        .to.throw(PerdureError, /object 77/)
        .with.nested.include({ code: 'PERDURE_DECODE', 'details.oid': 77 })
    }
    const batch = builder.take()
    expect([[...batch.oids], [...batch.references], batch.classNames]).to.deep.equal([[1], [2], ['A']])
  })
})

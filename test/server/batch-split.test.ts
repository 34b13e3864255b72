import { expect } from 'chai'
import fc from 'fast-check'
import type { RecordBatch } from '../../src/core/storage.js'
import { splitBatch } from '../../src/server/batch-split.js'
import { batchBytes } from '../../src/server/protocol/record-codecs.js'
import { thrownBy } from '../support/errors.js'

describe('splitBatch', () => {
  it('loses nothing, and keeps to the size wherever that can be done', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 60 }), fc.integer({ min: 200, max: 3000 }), (counts, wanted) => {
        const batch = batchOf(counts)
        const parts = [...splitBatch(batch, wanted, 1_000_000)]
        expect(parts.flatMap(objectsOf)).to.deep.equal(objectsOf(batch))
        for (const part of parts) if (part.oids.length > 1) expect(batchBytes(part)).to.be.at.most(wanted)
      }),
    )
  })

  it('gives a batch that is small enough as it is', () => {
    const batch = batchOf([1, 2])
    expect([...splitBatch(batch, 10_000, 10_000)]).to.deep.equal([batch])
  })

  it('refuses an object with more references than fit', () => {
    const error = thrownBy(() => [...splitBatch(batchOf([1, 500, 1]), 1000, 2000)])
    expect(error).to.include({ code: 'PERDURE_LIMIT' })
    expect(error.details.oid).to.equal(101)
  })
})

/** Objects from 100 on, with so many references each. */
function batchOf(counts: readonly number[]): RecordBatch {
  let end = 0
  return {
    oids: Float64Array.from(counts, (_, i) => 100 + i),
    tids: Float64Array.from(counts, (_, i) => i),
    bytes: Uint32Array.from(counts, (count) => count * 10),
    classes: Uint32Array.from(counts, (_, i) => i % 2),
    classNames: ['A', 'B'],
    referenceEnds: Uint32Array.from(counts, (count) => {
      end += count
      return end
    }),
    references: Float64Array.from(counts.flatMap((count, i) => Array.from({ length: count }, (_, at) => i * 100 + at))),
  }
}

function objectsOf(batch: RecordBatch) {
  return Array.from(batch.oids, (oid, i) => ({
    oid,
    tid: batch.tids[i],
    bytes: batch.bytes[i],
    className: batch.classNames[batch.classes[i] as number],
    references: [...batch.references.subarray(batch.referenceEnds[i - 1] ?? 0, batch.referenceEnds[i])],
  }))
}

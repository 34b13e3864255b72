import { expect } from 'chai'
import type { Oid, Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { ChangeRing } from '../../src/journal/change-ring.js'
import { OidIndex, reserveIndexMemory } from '../../src/journal/oid-index.js'
import { layOutTransaction, TransactionImage } from '../../src/journal/transaction.js'
import { type Accepted, CommitBatch } from '../../src/workers/commit-batch.js'
import { RemovalFinder } from '../../src/workers/removal-finder.js'
import { failure } from '../support/errors.js'

const NO_PAGES = { readPage: () => true, rebuild: () => {}, close: () => {} }

describe('RemovalFinder', () => {
  let index: OidIndex
  let changes: ChangeRing

  beforeEach(() => {
    index = new OidIndex(reserveIndexMemory(0), NO_PAGES)
    index.grow(100)
    changes = new ChangeRing()
    changes.forget(5)
  })

  function image(...records: (readonly [Oid, ...Oid[]])[]): TransactionImage {
    const writes = records.map(([oid, ...targets]) => {
      const references = targets.map((target) => new Reference(target, 'Thing'))
      return { oid, data: encodeRecord('Thing', references, new Uint8Array()) }
    })
    return new TransactionImage(layOutTransaction(writes))
  }

  function find(base: Tid, newest: Tid, transaction: TransactionImage, accepted: Accepted[] = []) {
    return new RemovalFinder(index, changes).find(base, transaction, newest, new CommitBatch(newest, 1000, accepted))
  }

  it('finds nothing where everything referred to is in the index, the transaction, or the batch', () => {
    index.set(1, 128)
    const before = { image: image([7]), position: 900, tid: 9 }
    expect(find(8, 8, image([2, 1, 2, 3], [3, 1, 7]), [before])).to.deep.equal([])
  })

  it('names each object once, with the last transaction that changed it', () => {
    changes.append([3, 4, 3, 9, 4, 9], [6, 6, 7, 7, 8, 9])
    expect(find(5, 9, image([1, 3, 4, 3], [2, 3]))).to.deep.equal([
      { oid: 3, className: '', tid: 7 },
      { oid: 4, className: '', tid: 8 },
    ])
    expect(find(6, 9, image([1, 3]))).to.deep.equal([{ oid: 3, className: '', tid: 7 }])
  })

  it('refuses what was not there at the snapshot either', async () => {
    changes.append([3], [6])
    for (const [base, newest, record] of [
      [6, 6, [1, 3]],
      [5, 6, [1, 4]],
      [5, 6, [1, 3, 4]],
    ] as const) {
      const error = await failure('PERDURE_OBJECT_MISSING', () => find(base, newest, image(record)))
      expect(error).to.have.deep.property('details', { oid: record.at(-1), referrer: 1 })
    }
  })

  it('reports a conflict when it is no longer known what has changed', () => {
    expect(find(4, 6, image([1, 3]))).to.deep.equal([{ oid: 3, className: '', tid: 6 }])
  })
})

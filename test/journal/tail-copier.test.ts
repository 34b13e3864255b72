import { expect } from 'chai'
import { checksumSeed, FILE_HEADER_BYTES, recordPrevious, recordTid } from '../../src/journal/format.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { NO_PAGES, OidIndex } from '../../src/journal/oid-index.js'
import type { PackedBase } from '../../src/journal/packed-base.js'
import { JournalScanner } from '../../src/journal/scanner.js'
import { carriesTooMuch, TailCopier, type TailLimits } from '../../src/journal/tail-copier.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import type { ReferenceBase } from '../support/reference-packer.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal, textRecord } from '../support/test-journal.js'

describe('TailCopier', () => {
  let directory: TemporaryDirectory
  let path: string
  let journal: TestJournal

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    journal = new TestJournal(path)
    // The root and 1, and garbage: 2, which leads to 3 and, in a cycle, to 4.
    journal.commit([
      [0, 'root >1'],
      [1, 'one'],
      [2, 'two >3 >4'],
      [3, 'three'],
      [4, 'four >2'],
    ])
    journal.commit([[3, 'three, changed']])
  })

  afterEach(() => {
    journal.close()
    directory.remove()
  })

  /** Copies all there is, and returns the base with what has come of it. */
  function copy({ base }: Pick<ReferenceBase, 'base'>, limits?: TailLimits): { base: PackedBase; complete: boolean } {
    const file = nodeFileSystem.open(base.path, 'write')
    const old = nodeFileSystem.open(path, 'read')
    const { index, reader, state } = journal.view
    const copier = new TailCopier({ file: old, uuid: journal.loop.shared.header.uuid, index, reader }, file, base)
    const complete = copier.copy(state.get('end'), limits)
    file.close()
    old.close()
    return { base: { ...base, ...copier.progress }, complete }
  }

  /** The records of each transaction after the base, as oid, tid, and whether there is a previous version. */
  function tailOf({ path: packed, header, state, index }: PackedBase) {
    const file = nodeFileSystem.open(packed, 'read')
    const scanner = new JournalScanner(file, checksumSeed(header.uuid), FILE_HEADER_BYTES, state.end)
    const tail: { tid: number; records: unknown[]; remarks: unknown; time: number }[] = []
    const newest = new Map<number, number>()
    for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
      const { position, header: transaction, image } = found
      const records: unknown[] = []
      image.forEachRecord((oid, offset) => {
        const previous = recordPrevious(image.view, offset)
        expect(previous, 'leads to the version before').to.equal(newest.get(oid) ?? 0)
        newest.set(oid, position + offset)
        records.push([oid, recordTid(image.view, offset), previous !== 0])
      })
      const { tid, time } = transaction
      if (tid > header.historyFrom) tail.push({ tid, records, remarks: image.remarks(), time })
    }
    expect(scanner.position).to.equal(state.end)
    expect(newest.size, 'objects').to.equal(state.objects)
    const packedIndex = new OidIndex(index, NO_PAGES)
    for (let oid = 0; oid < 10; oid++) expect(packedIndex.get(oid)).to.equal(newest.get(oid) ?? 0)
    file.close()
    return tail
  }

  it('copies transactions whole, with all they say of themselves', () => {
    const pack = journal.beginPack()
    const remarks = { note: 'a note', user: 'ada', token: new Uint8Array(16).fill(7) }
    const image = layOutTransaction([{ oid: 1, data: textRecord('one, changed') }], remarks)
    journal.loop.runBatch([{ base: 2, reads: [], image, answer: () => {} }])
    journal.commit([
      [5, 'five'],
      [0, 'root >1 >5'],
    ])
    const tail = tailOf(copy(pack).base)
    expect(tail.map(({ tid, records }) => [tid, records])).to.deep.equal([
      [3, [[1, 3, true]]],
      [
        4,
        [
          [5, 4, false],
          [0, 4, true],
        ],
      ],
    ])
    expect(tail[0]?.remarks).to.deep.equal(remarks)
    expect(tail[0]?.time).to.be.within(1, Date.now())
  })

  it('carries what is referred to again, with all that it refers to, each object once', () => {
    const pack = journal.beginPack()
    journal.commit([[1, 'one >4']])
    journal.commit([[0, 'root >1 >2 >3']])
    expect(tailOf(copy(pack).base).map(({ records }) => records)).to.deep.equal([
      [
        [4, 1, false],
        [2, 1, false],
        [3, 2, false],
        [1, 3, true],
      ],
      [[0, 4, true]],
    ])
  })

  it('carries the version as of the base, whatever has been committed since', () => {
    const pack = journal.beginPack(1)
    journal.commit([[2, 'two, alone']])
    journal.commit([[2, 'two, again']])
    expect(tailOf(copy(pack).base).map(({ records }) => records)).to.deep.equal([
      [
        [3, 1, false],
        [3, 2, true],
      ],
      [
        [2, 1, false],
        [4, 1, false],
        [2, 3, true],
      ],
      [[2, 4, true]],
    ])
  })

  it('does not copy twice what an earlier pack has carried', () => {
    const early = journal.beginPack()
    journal.commit([[1, 'one >2']])
    journal.switchTo(early)
    const carried = [
      [2, 1, false],
      [3, 2, false],
      [4, 1, false],
    ]
    // It was not there yet as of transaction 2, so it is carried again, and once.
    const again = tailOf(copy(journal.beginPack(2)).base)
    expect(again.map(({ records }) => records)).to.deep.equal([[...carried, [1, 3, true]], []])
    expect(tailOf(copy(journal.beginPack(3)).base).map(({ records }) => records)).to.deep.equal([[]])
    journal.pack(2)
    expect(journal.texts(5, 2)).to.deep.equal(['root >1', 'one', 'two >3 >4', 'three, changed', 'four >2'])
    expect(journal.text(1)).to.equal('one >2')
  })

  it('gives up as soon as a transaction would become too large', () => {
    const pack = journal.beginPack()
    journal.commit([[1, 'one >2']])
    const long = copy(pack, { transactionBytes: 400, carriedBytes: 40 })
    expect(long, 'what is said to be too much comes first').to.have.property('complete', false)
    let error: unknown
    try {
      copy(pack, { transactionBytes: 200 })
    } catch (caught) {
      error = caught
    }
    expect(error).to.deep.include({ code: 'PERDURE_LIMIT', details: { tid: 3, limit: 200 } })
    expect(carriesTooMuch(error)).to.equal(true)
    const { length } = tailOf(copy(pack, { transactionBytes: 400 }).base)
    expect(length).to.equal(1)
  })

  it('goes on where it has stopped', () => {
    const pack = journal.beginPack()
    for (let i = 0; i < 10; i++) journal.commit([[1, `one ${i} ${'x'.repeat(500)}`]])
    journal.commit([[0, 'root >1 >2']])
    const first = copy(pack, { sourceBytes: 1200 })
    expect(first).to.have.property('complete', false)
    expect(first.base.state.tid).to.equal(4)
    const second = copy(first, { carriedBytes: 10 })
    expect(second).to.have.property('complete', false)
    expect(second.base.state.tid, 'the one that brings much back is left').to.equal(12)
    const third = copy(second, { carriedBytes: 1000 })
    expect(third.complete).to.equal(true)
    expect(tailOf(third.base)).to.have.length(11)
    expect(copy(third)).to.deep.equal(third)
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { FileSource } from '../../src/durus/file-source.js'
import { sniffDurus } from '../../src/durus/sniff.js'
import type { DurusSource } from '../../src/durus/source.js'
import { BytesFile } from '../support/bytes-file.js'
import { int8 } from '../support/durus-client.js'
import { type DurusFile, dfs20File, type FileObject, fileRecord, shelfFile } from '../support/durus-files.js'
import { thrownBy } from '../support/errors.js'

type Model = Map<number, FileObject>

const oid = fc.oneof({ weight: 3, arbitrary: fc.nat(12) }, fc.nat(3000))
const anyOid = fc.oneof({ weight: 3, arbitrary: oid }, fc.maxSafeNat())

function objects(oids: fc.Arbitrary<number>, maxLength: number): fc.Arbitrary<FileObject[]> {
  const object = fc.record({
    oid: oids,
    data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    references: fc.array(anyOid, { maxLength: 4 }),
  })
  return fc.uniqueArray(object, { maxLength, selector: ({ oid }) => oid })
}

const transactions = fc.array(objects(anyOid, 5), { maxLength: 6 })
const someObjects = objects(anyOid, 4).filter(({ length }) => length > 0)

function model(...all: readonly (readonly FileObject[])[]): Model {
  const newest: Model = new Map()
  for (const object of all.flat()) newest.set(Number(object.oid), object)
  return newest
}

function read({ bytes }: Pick<DurusFile, 'bytes'>): FileSource {
  return new FileSource(new BytesFile(bytes), sniffDurus(bytes) as 'SHELF-1' | 'DFS20')
}

/** Checks that the source has what the model has, each object with its bytes, where it says they are. */
function expectSame(source: DurusSource, bytes: Buffer, expected: Model): void {
  const oids = [...source.oids()]
  expect(oids).to.have.lengthOf(expected.size)
  expect(new Set(oids)).to.deep.equal(new Set(expected.keys()))
  expect(source.objects).to.equal(expected.size)
  expect(source.highestOid).to.equal(Math.max(-1, ...expected.keys()))
  for (const oid of oids) {
    const { data, references, offset } = source.load(oid) ?? expect.fail(`object ${oid} is missing`)
    const record = fileRecord(expected.get(oid) as FileObject)
    expect(fileRecord({ oid, data, references })).to.deep.equal(record)
    const place = offset + (source.format === 'SHELF-1' ? 16 : 4)
    expect(bytes.subarray(place, place + record.length)).to.deep.equal(record)
  }
  expect(source.load(3001)).to.equal(undefined)
}

describe('A file of FileStorage (SHELF-1)', () => {
  it('is read as it was written, unpacked and packed, by the newest version of each object', () => {
    fc.assert(
      fc.property(objects(oid, 12), transactions, (packed, later) => {
        const file = shelfFile(packed, later)
        const source = read(file)
        expect(source.tornBytes).to.equal(0)
        expectSame(source, file.bytes, model(packed, ...later))
      }),
      { numRuns: 300 },
    )
  })

  it('is read without its last transaction, wherever that is cut off', () => {
    fc.assert(
      fc.property(objects(oid, 6), fc.array(someObjects, { maxLength: 6 }), someObjects, (packed, later, last) => {
        const { bytes, lastTransaction } = shelfFile(packed, [...later, last])
        const expected = model(packed, ...later)
        for (let end = lastTransaction; end < bytes.length; end++) {
          const torn = bytes.subarray(0, end)
          const source = read({ bytes: torn })
          expect(source.tornBytes).to.equal(end - lastTransaction)
          expectSame(source, torn, expected)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('is read without a last transaction whose length was not yet written, wherever it ends', () => {
    fc.assert(
      fc.property(objects(oid, 6), transactions, someObjects, (packed, later, last) => {
        const { bytes, lastTransaction: start } = shelfFile(packed, [...later, last])
        bytes.set(int8(0), start)
        const expected = model(packed, ...later)
        for (let end = start + 8; end <= bytes.length; end++) {
          const source = read({ bytes: bytes.subarray(0, end) })
          // With less than the length of a record, it is an empty transaction and the beginning of another one.
          expect(source.tornBytes).to.equal(end - start - (end < start + 16 ? 8 : 0))
          expectSame(source, bytes, expected)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('may have empty transactions', () => {
    const object = { oid: 7, data: Buffer.from('x') }
    const file = shelfFile([], [[], [], [object], []])
    expectSame(read(file), file.bytes, model([object]))
    const { bytes, lastTransaction } = shelfFile([object], [[], [{ ...object, oid: 8 }]])
    for (let end = lastTransaction; end < bytes.length; end++) {
      const source = read({ bytes: bytes.subarray(0, end) })
      // Of a few bytes it cannot be told whether they belong to a record of the transaction that seems empty.
      expect(source.tornBytes).to.be.within(end - lastTransaction, end - lastTransaction + 8)
      expectSame(source, bytes, model([object]))
    }
  })

  it('is damaged if its offset map and its records contradict each other', () => {
    const [one, two] = [0, 5].map((oid) => ({ oid, data: Buffer.from('data') }))
    const { bytes } = shelfFile([one, two] as FileObject[], [])
    const map = bytes.length - 7
    expect(bytes.readUInt8(map)).to.equal(16)
    for (const [entry, value, message] of [
      [0, 17, /offset map says that object 0 is at byte 17/],
      [0, 255, /lacks objects/],
      [1, 16, /says that object 1 is at byte 16/],
      [5, 16, /object 5 is at byte 16/],
    ] as const) {
      const damaged = Buffer.from(bytes)
      damaged[map + entry] = value
      expect(thrownBy(() => read({ bytes: damaged })).message).to.match(message)
    }
  })

  it('is damaged if the first transaction or the offset map is cut off', () => {
    const { bytes } = shelfFile([{ oid: 0, data: Buffer.from('data') }], [])
    for (let end = 8; end < bytes.length; end++) {
      const error = thrownBy(() => read({ bytes: bytes.subarray(0, end) }))
      expect([error.code, typeof error.details.offset]).to.deep.equal(['PERDURE_CORRUPTION', 'number'])
    }
  })
})

describe('A file of FileStorage2 (DFS20)', () => {
  it('is read as it was written, unpacked and packed, by the newest version of each object', () => {
    fc.assert(
      fc.property(transactions, transactions, (before, after) => {
        const file = dfs20File(before, after)
        const source = read(file)
        expect(source.tornBytes).to.equal(0)
        expectSame(source, file.bytes, model(...before, ...after))
      }),
      { numRuns: 300 },
    )
  })

  it('is read without its last transaction, wherever that is cut off', () => {
    fc.assert(
      fc.property(transactions, transactions, someObjects, (before, after, last) => {
        const { bytes, lastTransaction } = dfs20File(before, [...after, last])
        const expected = model(...before, ...after)
        for (let end = lastTransaction; end < bytes.length; end++) {
          const torn = bytes.subarray(0, end)
          const source = read({ bytes: torn })
          expect(source.tornBytes).to.equal(end - lastTransaction)
          expectSame(source, torn, expected)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('is read whatever its index says, of which nothing is needed but where it ends', () => {
    const object = { oid: 3, data: Buffer.from('x') }
    const file = dfs20File([[object]], [], Buffer.from('no pickle'))
    expectSame(read(file), file.bytes, model([object]))
  })

  it('is damaged if the index is missing, elsewhere, or cut off', () => {
    const { bytes } = dfs20File([[{ oid: 0, data: Buffer.from('data') }]], [])
    const moved = (offset: number) => Buffer.concat([bytes.subarray(0, 6), int8(offset), bytes.subarray(14)])
    expect(thrownBy(() => read({ bytes: moved(0) })).message).to.match(/byte 6: it has no index/)
    for (const offset of [1, 13, 14, 15, 30, 2 ** 40, 2 ** 60]) {
      expect(thrownBy(() => read({ bytes: moved(offset) })).code).to.equal('PERDURE_CORRUPTION')
    }
    for (let end = 6; end < bytes.length; end++) {
      const error = thrownBy(() => read({ bytes: bytes.subarray(0, end) }))
      expect([error.code, typeof error.details.offset]).to.deep.equal(['PERDURE_CORRUPTION', 'number'])
    }
  })
})

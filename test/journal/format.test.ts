import { expect } from 'chai'
import fc from 'fast-check'
import {
  checksumSeed,
  decodeFileHeader,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  MAX_NOTE_BYTES,
  MAX_RECORD_BYTES,
  readTransactionHeader,
  recordIsIntact,
  recordLength,
  recordPrevious,
  recordTid,
  transactionChecksum,
} from '../../src/journal/format.js'
import { layOutTransaction, TransactionImage } from '../../src/journal/transaction.js'

const id = fc.oneof(fc.nat(1000), fc.maxSafeNat())
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 })

const HEADER = {
  uuid: new Uint8Array(16),
  created: 1,
  serializer: 'msgpack',
  databaseId: new Uint8Array(16).fill(1),
  baseTid: 0,
  historyFrom: 0,
}

describe('file header', () => {
  const fileHeader = fc.record({
    uuid,
    created: fc.nat(),
    serializer: fc.string({ unit: fc.constantFrom(...'abcz09.-_'), minLength: 1, maxLength: 31 }),
    databaseId: fc.uint8Array({ minLength: 16, maxLength: 16 }).filter((bytes) => bytes.some((byte) => byte !== 0)),
    baseTid: id,
    historyFrom: id,
  })

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fileHeader, (header) => {
        const bytes = encodeFileHeader(header)
        expect(bytes.length).to.equal(FILE_HEADER_BYTES)
        expect(decodeFileHeader('a', bytes)).to.deep.equal(header)
      }),
    )
  })

  it('is never read wrongly when any bit of it has changed', () => {
    const bytes = encodeFileHeader(HEADER)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(() => decodeFileHeader('a', damaged), `bit ${bit}`).to.throw()
    }
  })

  it('refuses what is no database, and says what it begins with', () => {
    const cases: [Buffer, string][] = [
      [Buffer.alloc(0), 'it is empty'],
      [Buffer.from([1, 2, 3]), 'begins with 010203'],
    ]
    for (const [bytes, words] of cases) {
      expect(() => decodeFileHeader('/tmp/x', bytes))
        .to.throw(words)
        .with.property('code', 'PERDURE_NOT_A_DATABASE')
    }
  })

  it('refuses a newer version by its number', () => {
    const bytes = encodeFileHeader(HEADER)
    bytes.writeUInt16LE(7, 8)
    expect(() => decodeFileHeader('a', bytes))
      .to.throw('version 7')
      .with.property('code', 'PERDURE_FORMAT_VERSION')
  })
})

describe('transaction', () => {
  const writes = fc.uniqueArray(fc.record({ oid: id, data: fc.uint8Array({ maxLength: 300 }) }), {
    selector: (write) => write.oid,
    maxLength: 20,
  })
  const text = fc.string({ unit: 'binary', maxLength: 50 })
  const token = fc.uint8Array({ minLength: 16, maxLength: 16 })
  const remarks = fc.record({ note: text, user: text, token }, { requiredKeys: ['note', 'user'] })
  const stamp = fc.record({ position: id, tid: id, time: id, durable: id, nextOid: id, seed: fc.nat(2 ** 31) })

  it('comes back as it was laid out and stamped', () => {
    fc.assert(
      fc.property(writes, remarks, stamp, fc.func(id), (given, said, stamped, previousOf) => {
        const bytes = layOutTransaction(given, said)
        const image = new TransactionImage(bytes)
        image.stamp(stamped, previousOf)
        const { position, seed, ...expected } = stamped
        const header = readTransactionHeader(bytes, position, seed)
        expect(header).to.include({ ...expected, length: bytes.length, recordCount: given.length })
        expect(image.remarks()).to.deep.equal(said)
        expect(transactionChecksum(bytes)).to.equal(image.summary().checksum)
        const found: { oid: number; data: Uint8Array }[] = []
        image.forEachRecord((oid, offset) => {
          const { view } = image
          expect(recordIsIntact(bytes, view, offset, recordLength(view, offset))).to.equal(true)
          expect(recordTid(view, offset)).to.equal(stamped.tid)
          expect(recordPrevious(view, offset)).to.equal(previousOf(oid))
          found.push({ oid, data: Uint8Array.from(image.dataAt(offset)) })
        })
        expect(found).to.deep.equal(given)
      }),
    )
  })

  it('is not taken for one at another place or in another database', () => {
    const seed = checksumSeed(new Uint8Array(16))
    const bytes = layOutTransaction([{ oid: 1, data: new Uint8Array(5) }])
    new TransactionImage(bytes).stamp({ position: 128, tid: 1, time: 1, durable: 128, nextOid: 2, seed }, () => 0)
    expect(readTransactionHeader(bytes, 128, seed)).to.have.property('tid', 1)
    expect(readTransactionHeader(bytes, 136, seed)).to.equal(undefined)
    expect(readTransactionHeader(bytes, 128, checksumSeed(new Uint8Array(16).fill(1)))).to.equal(undefined)
  })

  it('shows every changed bit', () => {
    const bytes = layOutTransaction([{ oid: 1, data: Uint8Array.of(1, 2, 3) }], { note: 'a note' })
    new TransactionImage(bytes).stamp({ position: 128, tid: 1, time: 1, durable: 128, nextOid: 2, seed: 0 }, () => 0)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      const intact = readTransactionHeader(damaged, 128, 0) !== undefined && transactionChecksum(damaged) !== undefined
      // Padding is covered as well; only then can nothing hide in it.
      expect(intact, `bit ${bit}`).to.equal(false)
    }
  })

  it('refuses what is too large before anything is written', () => {
    const large = { length: MAX_RECORD_BYTES + 1 } as Uint8Array
    expect(() => layOutTransaction([{ oid: 5, data: large }]))
      .to.throw('Object 5')
      .with.property('code', 'PERDURE_RECORD_TOO_LARGE')
    expect(() => layOutTransaction([], { note: 'x'.repeat(MAX_NOTE_BYTES + 1) }))
      .to.throw()
      .with.property('code', 'PERDURE_LIMIT')
    const many = Array.from({ length: 17 }, (_, oid) => ({ oid, data: { length: MAX_RECORD_BYTES } as Uint8Array }))
    expect(() => layOutTransaction(many))
      .to.throw()
      .with.property('code', 'PERDURE_LIMIT')
  })
})

import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { encodeRecord } from '../../src/core/record.js'
import { checksumSeed } from '../../src/journal/format.js'
import { nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'
import { JournalScanner } from '../../src/journal/scanner.js'
import { layOutTransaction, TransactionImage } from '../../src/journal/transaction.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const SEED = checksumSeed(new Uint8Array(16))
const MIB = 1024 * 1024

describe('JournalScanner', () => {
  let directory: TemporaryDirectory
  let files: OpenFile[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    files = []
  })

  afterEach(() => {
    for (const file of files) file.close()
    directory.remove()
  })

  function transaction(position: number, tid: number, bytes: number, seed = SEED): Buffer {
    const data = encodeRecord('Text', [], Buffer.alloc(bytes, tid))
    const image = new TransactionImage(layOutTransaction([{ oid: tid, data }], { note: `note ${tid}` }))
    image.stamp({ position, tid, time: 1, durable: position, nextOid: tid + 1, seed }, () => 0)
    return Buffer.from(image.bytes)
  }

  /** A file of transactions with states of these sizes behind `offset` bytes of zeros. */
  function journal(sizes: readonly number[], offset = 128): { bytes: Buffer; ends: number[] } {
    const parts: Buffer[] = [Buffer.alloc(offset)]
    const ends = [offset]
    for (const [i, size] of sizes.entries()) {
      const part = transaction(ends.at(-1) as number, i + 1, size)
      parts.push(part)
      ends.push((ends.at(-1) as number) + part.length)
    }
    return { bytes: Buffer.concat(parts), ends }
  }

  function scanner(bytes: Uint8Array, position = 128, limit = bytes.length): JournalScanner {
    writeFileSync(directory.join('a'), bytes)
    const file = nodeFileSystem.open(directory.join('a'), 'read')
    files.push(file)
    return new JournalScanner(file, SEED, position, limit)
  }

  function tids(scan: JournalScanner): number[] {
    const found: number[] = []
    for (let next = scan.next(); next !== undefined; next = scan.next()) found.push(next.header.tid)
    return found
  }

  it('reads transactions of all sizes, over the borders of what it reads at once', () => {
    const { bytes, ends } = journal([0, 1, 500_000, 600_000, 3 * MIB, 10, MIB - 200, 7])
    const scan = scanner(bytes)
    for (const [i, end] of ends.slice(1).entries()) {
      const found = scan.next()
      expect(found).to.include({ position: ends[i], end })
      expect(found?.header).to.include({ tid: i + 1, nextOid: i + 2, durable: ends[i] })
      expect(Buffer.compare(found?.image.bytes ?? Buffer.alloc(0), bytes.subarray(ends[i], end))).to.equal(0)
      expect(scan.position).to.equal(end)
    }
    expect(scan.next()).to.equal(undefined)
    expect(scan.position).to.equal(bytes.length)
  })

  it('stops where something is not what was written, and at the limit', () => {
    const { bytes, ends } = journal([10, 20, 30])
    fc.assert(
      fc.property(fc.integer({ min: 128, max: bytes.length - 1 }), fc.nat(7), (at, bit) => {
        const damaged = Buffer.from(bytes)
        damaged[at] = (damaged[at] as number) ^ (1 << bit)
        const count = ends.filter((end) => end <= at).length - 1
        const scan = scanner(damaged)
        expect(tids(scan)).to.have.length(count)
        expect(scan.position).to.equal(ends[count])
        expect(tids(scanner(bytes, 128, at))).to.have.length(count)
      }),
      { numRuns: 100 },
    )
  })

  it('does not take a transaction of another place or of another database', () => {
    const { bytes } = journal([10])
    expect(
      tids(scanner(Buffer.concat([bytes.subarray(0, 128), Buffer.alloc(8), bytes.subarray(128)]), 136)),
    ).to.deep.equal([])
    const foreign = Buffer.concat([Buffer.alloc(128), transaction(128, 1, 10, SEED + 1)])
    expect(tids(scanner(foreign))).to.deep.equal([])
  })

  it('finds the next intact transaction that is wanted, however far it is', () => {
    const { bytes, ends } = journal([10, 20, 2 * MIB, 30, 40])
    const damaged = Buffer.from(bytes)
    for (const i of [0, 2]) damaged[(ends[i] as number) + 70] = 255
    const scan = scanner(damaged)
    expect(scan.findAfter(128, () => true)?.header.tid).to.equal(2)
    expect(scan.findAfter(ends[1] as number, () => true)?.header.tid).to.equal(4)
    expect(scan.findAfter(128, ({ header }) => header.tid > 4)?.position).to.equal(ends[4])
    expect(scan.findAfter(128, ({ header }) => header.tid > 5)).to.equal(undefined)
    expect(
      scan.findAfter(ends[4] as number, () => true),
      'not the one at the place itself',
    ).to.equal(undefined)
    expect(
      scan.findWithin(ends[1] as number, ({ header }) => header.tid === 4),
      'not beyond its window',
    ).to.equal(undefined)
    scan.seek(ends[3] as number)
    expect(tids(scan)).to.deep.equal([4, 5])
  })

  it('finds a transaction where its header lies on the border of two windows', () => {
    for (const gap of [-64, -8, 0, 8]) {
      const position = 128 + 8 + MIB + gap
      const bytes = Buffer.concat([Buffer.alloc(position, 1), transaction(position, 9, 10)])
      expect(scanner(bytes).findAfter(128, () => true)?.position).to.equal(position)
    }
  })

  it('knows zeros from anything else, up to the limit', () => {
    const bytes = Buffer.alloc(3 * MIB)
    expect(scanner(bytes).isZeroFrom(0)).to.equal(true)
    expect(scanner(bytes, 0, bytes.length).isZeroFrom(bytes.length)).to.equal(true)
    for (const at of [128, MIB, 2 * MIB - 1, 3 * MIB - 1]) {
      bytes.fill(0)[at] = 1
      const scan = scanner(bytes)
      expect(scan.isZeroFrom(128)).to.equal(false)
      expect(scan.isZeroFrom(at + 1)).to.equal(true)
      expect(scanner(bytes, 0, at).isZeroFrom(0), 'behind the limit').to.equal(true)
    }
  })
})

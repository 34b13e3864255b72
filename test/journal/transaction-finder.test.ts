import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { CorruptionError } from '../../src/core/errors.js'
import {
  checksumSeed,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  stampRecord,
  stampTransaction,
} from '../../src/journal/format.js'
import { nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'
import { layOutTransaction, TransactionImage } from '../../src/journal/transaction.js'
import { type FoundTransaction, type Steps, TransactionFinder } from '../../src/journal/transaction-finder.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const HEADER: FileHeader = {
  uuid: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
  created: 1,
  serializer: 'msgpack',
  databaseId: new Uint8Array(16),
  baseTid: 0,
  historyFrom: 0,
}

interface Written {
  readonly position: number
  readonly end: number
  readonly tid: number
  readonly time: number
}

describe('TransactionFinder', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(() => directory.remove())

  /** A journal with one transaction for each list of states. Times are those of `times`, or ten apart. */
  function make(transactions: readonly (readonly Uint8Array[])[], times: readonly number[] = []): Written[] {
    const seed = checksumSeed(HEADER.uuid)
    const pieces: Uint8Array[] = [encodeFileHeader(HEADER)]
    const written: Written[] = []
    let position = FILE_HEADER_BYTES
    for (const [i, states] of transactions.entries()) {
      const image = new TransactionImage(
        layOutTransaction(
          states.map((data, oid) => ({ oid, data })),
          { note: `${i}` },
        ),
      )
      const [tid, time] = [i + 1, times[i] ?? 10 * (i + 1)]
      image.stamp({ position, tid, time, durable: position, nextOid: 10, seed }, () => 0)
      pieces.push(image.bytes)
      written.push({ position, end: position + image.bytes.length, tid, time })
      position += image.bytes.length
    }
    writeFileSync(path, Buffer.concat(pieces))
    return written
  }

  /** Runs `use` on the journal, and counts what is read. */
  function open<T>(use: (finder: TransactionFinder, counts: { reads: number; bytes: number; most: number }) => T): T {
    const file = nodeFileSystem.open(path, 'read')
    const counts = { reads: 0, bytes: 0, most: 0 }
    const counting: OpenFile = {
      path,
      read: (buffer, offset, length, position) => {
        counts.reads++
        counts.bytes += length
        counts.most = Math.max(counts.most, length)
        return file.read(buffer, offset, length, position)
      },
      size: () => file.size(),
      write: () => {},
      sync: () => {},
      truncate: () => {},
      close: () => {},
      closeLater: () => {},
    }
    try {
      return use(new TransactionFinder(counting, HEADER, file.size()), counts)
    } finally {
      file.close()
    }
  }

  function finish<T>(steps: Steps<T>): T {
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
    }
  }

  const placeOf = (found: FoundTransaction | undefined) =>
    found && { position: found.position, end: found.end, tid: found.header.tid, time: found.header.time }

  it('finds each transaction by tid and by time, whatever their sizes: a property', () => {
    // States that hold what looks like the beginning of a transaction, or is one of another place.
    const other = make([[Buffer.from('inner')]])[0] as Written
    const inner = readFileSync(path).subarray(other.position)
    const state = fc.oneof(
      { weight: 6, arbitrary: fc.nat(300).map((length) => Buffer.alloc(length, 'TXN1....')) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 30 }).map((count) => Buffer.concat(Array(count).fill(inner))) },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 60_000, max: 150_000 }).map((length) => Buffer.alloc(length, 'TXN1..')),
      },
    )
    const transaction = fc.record({ states: fc.array(state, { maxLength: 3 }), ms: fc.nat(2) })
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 40, size: 'max' }), (program) => {
        let now = 0
        const times = program.map(({ ms }) => (now += ms))
        const written = make(
          program.map(({ states }) => states),
          times,
        )
        open((finder) => {
          for (const place of written) {
            expect(placeOf(finish(finder.withTid(place.tid)))).to.deep.equal(place)
            expect(placeOf(finder.at(place.position))).to.deep.equal(place)
            expect(placeOf(finder.endingAt(place.end))).to.deep.equal(place)
            const middle = Math.floor((place.position + place.end) / 2)
            for (const offset of [place.position, middle, place.end - 1]) {
              expect(placeOf(finish(finder.around(offset, FILE_HEADER_BYTES)))).to.deep.equal(place)
            }
            const { tid, time, note, bytes } = finish(finder.info(finder.at(place.position)))
            const told = { tid, time: time.getTime(), note, bytes }
            const expected = { tid: place.tid, time: place.time, note: `${tid - 1}`, bytes: place.end - place.position }
            expect(told).to.deep.equal(expected)
          }
          for (let time = -1; time <= now + 1; time++) {
            const last = written.findLast((place) => place.time <= time)
            expect(placeOf(finish(finder.notAfter(time)))).to.deep.equal(last)
          }
          for (const tid of [0, written.length + 1]) expect(finish(finder.withTid(tid))).to.equal(undefined)
        })
      }),
      { numRuns: 10 },
    )
  })

  it('reads little of a long journal', () => {
    const written = make(Array.from({ length: 20_000 }, (_, i) => [Buffer.alloc(i % 500)]))
    const size = (written.at(-1) as Written).end
    open((finder, counts) => {
      for (const i of [0, 1, 7777, 19_998, 19_999]) {
        counts.reads = 0
        counts.bytes = 0
        const place = written[i] as Written
        expect(placeOf(finish(finder.withTid(place.tid)))).to.deep.equal(place)
        expect(placeOf(finish(finder.notAfter(place.time + 1)))).to.deep.equal(place)
        expect(counts.reads).to.be.lessThan(2 * (Math.log2(size / 65_536) + 3))
      }
      counts.reads = 0
      for (let end = size, i = written.length; i > 0; i--) {
        const found = finder.endingAt(end)
        expect(placeOf(found)).to.deep.equal(written[i - 1])
        end = found.position
      }
      expect(counts.reads, 'going backwards').to.be.lessThan(size / 60_000 + 2)
    })
  })

  it('reads a large transaction in small pieces', () => {
    const written = make([[Buffer.alloc(10)], [Buffer.alloc(20_000_000), Buffer.alloc(20_000_000)], [Buffer.alloc(10)]])
    open((finder, counts) => {
      const [, large, last] = written as [Written, Written, Written]
      const search = finder.withTid(3)
      let steps = 0
      for (let step = search.next(); ; step = search.next(), steps++) {
        if (!step.done) continue
        expect(placeOf(step.value)).to.deep.equal(last)
        break
      }
      expect(steps).to.be.greaterThan(100)
      const { oids, bytes } = finish(finder.info(finder.at(large.position)))
      expect({ oids, bytes }).to.deep.equal({ oids: [0, 1], bytes: large.end - large.position })
      expect(placeOf(finish(finder.around(large.end - 100, FILE_HEADER_BYTES)))).to.deep.equal(large)
      expect(counts.most).to.be.at.most(65_536 + 64)
    })
  })

  it('does not count versions that a pack has put into a transaction among what that wrote', () => {
    const writes = [1, 2, 3].map((oid) => ({ oid, data: Buffer.alloc(oid * 10) }))
    const image = new TransactionImage(layOutTransaction(writes))
    const position = FILE_HEADER_BYTES
    const stamp = { position, tid: 7, time: 1, durable: position, nextOid: 4, seed: checksumSeed(HEADER.uuid) }
    image.stamp(stamp, () => 0)
    image.forEachRecord((oid, offset) => {
      if (oid === 2) stampRecord(image.bytes, image.view, offset, 5, 0)
    })
    stampTransaction(image.bytes, image.view, stamp)
    writeFileSync(path, Buffer.concat([encodeFileHeader(HEADER), image.bytes]))
    open((finder) => expect(finish(finder.info(finder.at(position))).oids).to.deep.equal([1, 3]))
  })

  it('reports damage that it meets, with its place, and does not see what lies elsewhere', () => {
    const written = make(Array.from({ length: 3000 }, (_, i) => [Buffer.alloc(100), Buffer.alloc(i % 50)]))
    const spoil = (...at: number[]) => {
      const bytes = readFileSync(path)
      for (const offset of at) bytes[offset] = (bytes[offset] as number) ^ 1
      writeFileSync(path, bytes)
    }
    const [damaged, next] = [written[1500], written[1501]] as [Written, Written]
    spoil(damaged.position + 20)
    const offsetOf = (action: () => unknown): number => {
      try {
        action()
      } catch (error) {
        if (error instanceof CorruptionError) return error.offset
        throw error
      }
      throw new Error('The damage was not noticed.')
    }
    open((finder) => {
      for (const i of [0, 700, 1499, 2999]) {
        const place = written[i] as Written
        expect(placeOf(finish(finder.withTid(place.tid)))).to.deep.equal(place)
      }
      expect(offsetOf(() => finish(finder.withTid(damaged.tid)))).to.equal(damaged.position)
      expect(offsetOf(() => finish(finder.notAfter(damaged.time)))).to.equal(damaged.position)
      expect(offsetOf(() => finder.at(damaged.position))).to.equal(damaged.position)
      expect(offsetOf(() => finder.endingAt(damaged.end))).to.equal(damaged.end - 16)
      expect(offsetOf(() => finish(finder.around(damaged.end - 30, FILE_HEADER_BYTES)))).to.equal(damaged.position)
      expect(offsetOf(() => finish(finder.around(damaged.end - 30, damaged.position)))).to.equal(damaged.position)
    })
    spoil(damaged.position + 20, damaged.position + 150, next.end - 1)
    open((finder) => {
      expect(offsetOf(() => finish(finder.info(finder.at(damaged.position))))).to.equal(damaged.position)
      expect(offsetOf(() => finish(finder.info(finder.at(next.position))))).to.equal(next.position)
      expect(offsetOf(() => finder.endingAt(next.end))).to.equal(next.end - 16)
      expect(placeOf(finish(finder.withTid(damaged.tid))), 'its header is intact').to.deep.equal(damaged)
    })
  })
})

import { expect } from 'chai'
import { BulkWriter } from '../../src/conversion/bulk-writer.js'
import type { Oid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { Storage } from '../../src/core/storage.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const OBJECTS = 1000

/** So small that there are many parts. */
const PART_BYTES = 1000

describe('BulkWriter', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** An object that refers to another one. */
  const link = (to: Oid, state = '') => encodeRecord('Link', [new Reference(to, 'Link')], Buffer.from(state))

  async function oidsOf(storage: Storage): Promise<Oid[]> {
    const snapshot = storage.snapshot()
    const oids: Oid[] = []
    for await (const { oid } of snapshot.records()) oids.push(oid)
    snapshot.release()
    return oids.sort((a, b) => a - b)
  }

  it('commits what refers to objects that are still to come, in parts', async () => {
    await using storage = await FileStorage.open(directory.join('a'), { durability: 'os' })
    const time = new Date('2001-02-03T04:05:06Z')
    const writer = new BulkWriter(storage, { note: 'a note', time, partBytes: PART_BYTES })
    let bytes = 0
    for (let oid = 0; oid < OBJECTS; oid++) {
      const data = link((oid + 500) % OBJECTS, `state ${oid}`)
      bytes += data.length
      await writer.add(oid, data)
    }
    await writer.flush()
    expect(writer).to.include({ objects: OBJECTS, bytes })
    expect(await oidsOf(storage)).to.deep.equal(Array.from({ length: OBJECTS }, (_, oid) => oid))
    const snapshot = storage.snapshot()
    expect(snapshot.load(7)?.data).to.deep.equal(link(507, 'state 7'))
    snapshot.release()
    const remarks = new Set<string>()
    let transactions = 0
    for await (const transaction of storage.transactions()) {
      remarks.add(`${transaction.note} ${transaction.time.toISOString()}`)
      transactions++
    }
    expect([...remarks]).to.deep.equal(['a note 2001-02-03T04:05:06.000Z'])
    expect(transactions).to.be.greaterThan(bytes / PART_BYTES - 1)
  })

  it('takes oids in any order, with gaps far wider than a storage allows by itself', async () => {
    const far = 5_000_000
    await using storage = await FileStorage.open(directory.join('a'), { durability: 'os' })
    const writer = new BulkWriter(storage, { partBytes: 1 })
    for (const oid of [far, 7, 0, far + 3_000_000]) await writer.add(oid, link(7))
    await writer.flush()
    const snapshot = storage.snapshot()
    for (const oid of [far, 7, 0, far + 3_000_000]) expect(snapshot.load(oid)).to.include({ oid })
    snapshot.release()
  })

  it('sees to it that no oid is given out twice, even after the database was closed', async () => {
    const path = directory.join('a')
    for (const [reserved, expected] of [
      [0, 11],
      [5000, 5000],
    ] as const) {
      const file = `${path}${reserved}`
      {
        await using storage = await FileStorage.open(file)
        const writer = new BulkWriter(storage)
        await writer.add(10, link(10))
        await writer.add(0, link(10))
        writer.reserve(reserved)
        await writer.flush()
      }
      await using storage = await FileStorage.open(file)
      expect(storage.allocateOids(1)).to.equal(expected)
    }
  })

  it('names the object that is there twice, within one part and in two, and the one there is no room for', async () => {
    for (const partBytes of [1, 1_000_000]) {
      const writer = new BulkWriter(new MemoryStorage(), { partBytes })
      const error = await failure('PERDURE_ARGUMENT', async () => {
        for (const oid of [0, 1, 2, 1, 3, 4, 5]) await writer.add(oid, link(0))
        await writer.flush()
      })
      expect(error.details).to.include({ oid: 1 })
    }
    await using storage = await FileStorage.open(directory.join('a'))
    const writer = new BulkWriter(storage)
    await writer.add(2 ** 40, link(0))
    expect((await failure('PERDURE_LIMIT', () => writer.flush())).details).to.include({ oid: 2 ** 40 })
  })

  it('tells of somebody else who writes, once and again', async () => {
    const storage = new MemoryStorage()
    const writer = new BulkWriter(storage, { partBytes: 1 })
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 3, data: encodeRecord('Thing', [], Buffer.of(1)) }] })
    await writer.add(3, link(0))
    await failure('PERDURE_BUSY', () => writer.flush())
    await failure('PERDURE_BUSY', () => writer.add(4, link(0)) ?? writer.flush())
  })

  it('leaves an empty storage alone if there is nothing to write', async () => {
    const storage = new MemoryStorage()
    const writer = new BulkWriter(storage)
    writer.reserve(100)
    await writer.flush()
    expect(storage.statistics()).to.include({ tid: 0, objects: 0 })
  })
})

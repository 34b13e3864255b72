import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { CorruptionError } from '../../src/core/errors.js'
import { type Oid, ROOT_OID, type Tid } from '../../src/core/oid.js'
import type { CommitResult, TransactionInfo, TransactionRange } from '../../src/core/storage.js'
import { undoTransaction } from '../../src/core/undo.js'
import { checksumSeed, FILE_HEADER_BYTES, type TransactionHeader } from '../../src/journal/format.js'
import { readFileHeader } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { JournalScanner } from '../../src/journal/scanner.js'
import { FileStorage } from '../../src/storages/file.js'
import { commit, listRecords, textOf, write } from '../../src/testing/suite-context.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('The history of a FileStorage', () => {
  let directory: TemporaryDirectory
  let path: string
  let storage: FileStorage

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    storage = await FileStorage.open(path, { durability: 'os' })
  })

  afterEach(async () => {
    await storage.close()
    directory.remove()
  })

  async function tids(range?: TransactionRange): Promise<Tid[]> {
    const found: Tid[] = []
    for await (const { tid } of storage.transactions(range)) found.push(tid)
    return found
  }

  async function stateAt(tid: Tid) {
    const snapshot = await storage.snapshotAt(tid)
    try {
      return await listRecords(snapshot)
    } finally {
      snapshot.release()
    }
  }

  /** Ten transactions: the root and an object that it refers to, changed by turns. Returns the object's oid. */
  async function tenTransactions(): Promise<Oid> {
    const oid = storage.allocateOids(1)
    await commit(storage, [write(ROOT_OID, 'root 1', [oid]), write(oid, 'a 1')])
    for (let tid = 2; tid <= 10; tid++) {
      await commit(storage, [tid % 2 === 0 ? write(oid, `a ${tid}`) : write(ROOT_OID, `root ${tid}`, [oid])])
    }
    return oid
  }

  describe('when a pack has kept some of it', () => {
    it('begins with what was kept, and all of that is as it was', async () => {
      const oid = await tenTransactions()
      const expected = await Promise.all(Array.from({ length: 11 }, (_, tid) => stateAt(tid)))
      const before = await all(storage.transactions({ from: 7 }))
      const { historyFrom } = await storage.pack({ retain: { tid: 6 } })
      expect(historyFrom).to.equal(6)
      for (let tid = 6; tid <= 10; tid++) expect(await stateAt(tid), `${tid}`).to.deep.equal(expected[tid])
      expect((await all(storage.transactions())).filter(({ tid }) => tid <= 10).map(brief)).to.deep.equal(
        before.map(brief),
      )
      expect((await tids({ oid, newestFirst: true })).filter((tid) => tid <= 10)).to.deep.equal([10, 8])
      const refused = await failure('PERDURE_HISTORY', () => storage.snapshotAt(5))
      expect(refused.details).to.include({ historyFrom: 6, path })
      expect(refused.details['historyTime'])
        .to.be.a('number')
        .above(Date.now() - 60_000)
      await failure('PERDURE_HISTORY', () => tids({ from: 5 }))
      await failure('PERDURE_HISTORY', () => undoTransaction(storage, 6, {}))
    })

    it('lists a transaction once that has changed an object of which it had to carry the version before', async () => {
      const garbage = storage.allocateOids(1)
      await commit(storage, [write(ROOT_OID, 'root'), write(garbage, 'garbage')])
      let linked: Promise<CommitResult> | undefined
      await storage.pack({
        onProgress: () => {
          const writes = [write(ROOT_OID, 'root', [garbage]), write(garbage, 'in use')]
          linked ??= storage.commit({ base: 1, reads: [], writes })
        },
      })
      expect(await linked).to.deep.equal({ tid: 2 })
      const past = await storage.snapshotAt(1)
      expect(textOf(past.load(garbage)), 'was carried').to.equal('garbage')
      past.release()
      expect(await tids({ oid: garbage })).to.deep.equal([2])
      expect(await tids({ oid: garbage, newestFirst: true })).to.deep.equal([2])
    })

    it('lets what was kept be undone', async () => {
      const oid = await tenTransactions()
      await storage.pack({ retain: { tid: 6 } })
      await undoTransaction(storage, 10, {})
      await undoTransaction(storage, 9, {})
      const snapshot = storage.snapshot()
      expect([textOf(snapshot.load(ROOT_OID)), textOf(snapshot.load(oid))]).to.deep.equal(['root 7', 'a 8'])
      snapshot.release()
    })
  })

  it('can be read to the end when a pack makes a new journal meanwhile', async () => {
    await tenTransactions()
    const expected = await stateAt(3)
    const past = await storage.snapshotAt(3)
    const seen: Tid[] = []
    for await (const { tid } of storage.transactions()) {
      seen.push(tid)
      if (tid === 2) await storage.pack()
    }
    expect(seen).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(await listRecords(past)).to.deep.equal(expected)
    past.release()
    await failure('PERDURE_HISTORY', () => storage.snapshotAt(3))
  })

  it('keeps no file open when it is not read to the end', async () => {
    await tenTransactions()
    const open = () =>
      existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === path).length : 0
    for await (const { tid } of storage.transactions()) if (tid === 3) break
    const iterator = storage.transactions({ newestFirst: true })[Symbol.asyncIterator]()
    await iterator.next()
    await storage.close()
    await failure('PERDURE_CLOSED', () => iterator.next())
    expect(open()).to.equal(0)
  })

  describe('where the file is damaged', () => {
    let places: (TransactionHeader & { position: number })[]
    let oid: Oid

    beforeEach(async () => {
      oid = await tenTransactions()
      await storage.close()
      places = placesIn(path)
    })

    async function damage(...at: number[]): Promise<void> {
      const bytes = readFileSync(path)
      for (const offset of at) bytes[offset] = (bytes[offset] as number) ^ 1
      writeFileSync(path, bytes)
      storage = await FileStorage.open(path, { readonly: true })
    }

    const position = (tid: Tid) => places[tid - 1]?.position as number

    async function damageMetBy(range: TransactionRange): Promise<{ seen: Tid[]; offset: number }> {
      const seen: Tid[] = []
      try {
        for await (const { tid } of storage.transactions(range)) seen.push(tid)
      } catch (error) {
        if (error instanceof CorruptionError && error.path === path) return { seen, offset: error.offset }
        throw error
      }
      throw new Error(`No damage was noticed, but the transactions ${seen} seen.`)
    }

    it('ends there, with the offset, from both sides', async () => {
      await damage(position(5) + 70)
      expect(await damageMetBy({})).to.deep.equal({ seen: [1, 2, 3, 4], offset: position(5) })
      expect(await damageMetBy({ newestFirst: true })).to.deep.equal({ seen: [10, 9, 8, 7, 6], offset: position(5) })
      expect(await tids({ from: 6, to: 8 })).to.deep.equal([6, 7, 8])
      expect(await tids({ oid })).to.deep.equal([1, 2, 4, 6, 8, 10])
      expect((await damageMetBy({ oid: ROOT_OID, newestFirst: true })).seen).to.deep.equal([9, 7])
    })

    it('is not guessed at where a header is damaged', async () => {
      await damage(position(5) + 20)
      expect(await damageMetBy({})).to.deep.equal({ seen: [], offset: position(5) })
      expect(await damageMetBy({ from: 5, to: 5 })).to.deep.equal({ seen: [], offset: position(5) })
      expect(await tids({ to: 4 })).to.deep.equal([1, 2, 3, 4])
      expect((await stateAt(4)).length, 'which needs no search').to.equal(2)
      const late = await failure('PERDURE_CORRUPTION', () => storage.snapshotAt(new Date()))
      expect(late.details.offset).to.equal(position(5))
    })
  })
})

const brief = ({ tid, time, note, user, oids }: TransactionInfo) => ({ tid, time, note, user, oids })

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of from) items.push(item)
  return items
}

function placesIn(path: string): (TransactionHeader & { position: number })[] {
  const file = nodeFileSystem.open(path, 'read')
  const scanner = new JournalScanner(file, checksumSeed(readFileHeader(file).uuid), FILE_HEADER_BYTES, file.size())
  const places: (TransactionHeader & { position: number })[] = []
  for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
    places.push({ ...found.header, position: found.position })
  }
  file.close()
  return places
}

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined // It was that of the listing itself.
  }
}

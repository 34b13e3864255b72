import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import type { CorruptionError } from '../../src/core/errors.js'
import { decodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { open, Placeholder, type Root, repairFile } from '../../src/index.js'
import { checksumSeed } from '../../src/journal/format.js'
import { readFileHeader } from '../../src/journal/journal.js'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { JournalScanner } from '../../src/journal/scanner.js'
import { loadSerializer } from '../../src/serializers/registry.js'
import { FileStorage } from '../../src/storages/file.js'
import { assertSameValue } from '../../src/testing/same-value.js'
import { Account, Counter, type Entries, Everything, everyValue, NOTES, TREE_SIZE } from '../fixtures/contents.js'
import { PACKAGE } from '../support/documented-programs.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/*
 * Files of format version 1 must open, or fail, as told here for ever. If a test fails, change the code, never the
 * files nor the expectations.
 */

const DIRECTORY = join(PACKAGE, 'test', 'fixtures', 'format-1')

const CHECKSUMS: Record<string, string> = {
  'cbor.perdure': '6d69d5664c57d2a843ce0aea910ba93a5ffbcd89addb1b00a543f95a2d905b53',
  'cbor.perdure.index': 'fc45dd946d2aafbce6b57c6c7e1de768c66c0169acfb067b2e77365a86847713',
  'damaged-header.perdure': '3b7f17f4a8b25ac5ef39255b90e49a8a790c215aa33ee5f8d015a5b895d7b707',
  'damaged-record.perdure': '676bcbf2f304187c176d497b5a9c1018947e72358c1184a522e74e772b967baf',
  'damaged-record.perdure.index': '8d1501ede44c49cf9c63be19f1717bfcdc2d76f6dadc74525b3c18320f1df7b8',
  'damaged-tail.perdure': '3f1e44c8fab99ca5e4a38f6750bd454149823dd8c8a6bec6a0340ecb131f42c4',
  'damaged-tail.perdure.live': '091b137f987921ebcc6595be0d2b0127b38e99c920245a136f52bf0ed8d846f7',
  'damaged.perdure': '676bcbf2f304187c176d497b5a9c1018947e72358c1184a522e74e772b967baf',
  'devalue.perdure': '8196351981383b715879233c025c8b0000a864d02b7062fa457a2ab0c43c1f58',
  'devalue.perdure.index': '5d8895fe940a07b820bee7056aceb558f669d037a85ad16d714c7551bb59aa8d',
  'foreign-checkpoint.perdure': '7db2ce5f23c304e366712f8d3e06876b846d3c75cded1e82b27c722b7cf31b5e',
  'foreign-checkpoint.perdure.index': 'fc45dd946d2aafbce6b57c6c7e1de768c66c0169acfb067b2e77365a86847713',
  'killed.perdure': 'f0ba1ef4c72bce4cd4fdba4f6a9a646ea85e45952e868c5c2c16755330e10198',
  'killed.perdure.live': '091b137f987921ebcc6595be0d2b0127b38e99c920245a136f52bf0ed8d846f7',
  'missing-checkpoint.perdure': '7db2ce5f23c304e366712f8d3e06876b846d3c75cded1e82b27c722b7cf31b5e',
  'msgpack.perdure': '7db2ce5f23c304e366712f8d3e06876b846d3c75cded1e82b27c722b7cf31b5e',
  'msgpack.perdure.index': '8d1501ede44c49cf9c63be19f1717bfcdc2d76f6dadc74525b3c18320f1df7b8',
  'stale-checkpoint.perdure': '4722623d8f16dcd2fc06e265ed8fa3f0751a6d512127e16d4ab3ea6179f84aae',
  'stale-checkpoint.perdure.index': 'db226d5cea7eb9c86e0bd6ef75f6aa67082c48c737f6025eee89c1c8d5c5491e',
  'torn.perdure': 'b101c2fa391bf4514da54aa487071fc302b51b8b1601cd45aec8f74ba1d140ec',
}

/** Where transactions begin in the file that was made with msgpack, and those that were made from it. */
const [FOURTH, FIFTH, EIGHTH, END] = [4312, 6032, 7232, 8184] as const

/** The object with a field for every value, and where its record is. */
const EVERYTHING = 27
const EVERYTHING_AT = 4599

describe('the fixtures of format version 1', () => {
  let directory: TemporaryDirectory
  let databases: Database<Root<Entries>>[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    databases = []
  })

  afterEach(async () => {
    for (const database of databases) await database.close()
    directory.remove()
  })

  /** Copies a fixture with its sidecar files, because opening may change them. */
  function copy(name: string): string {
    const files = readdirSync(DIRECTORY).filter((file) => file.startsWith(`${name}.perdure`))
    for (const file of files) copyFileSync(join(DIRECTORY, file), directory.join(file))
    return directory.join(`${name}.perdure`)
  }

  async function start(path: string, readonly = false): Promise<Database<Root<Entries>>> {
    const database = await open<Entries>(path, { classes: [Account, Counter, Everything], readonly })
    databases.push(database)
    return database
  }

  /** All of what is in a whole fixture, as its users see it. */
  async function expectWhole(database: Database<Root<Entries>>): Promise<void> {
    const connection = await database.connect()
    const { root } = connection
    expect([...root.keys()]).to.deep.equal([
      'ada',
      'bob',
      'counter',
      'map',
      'list',
      'set',
      'tree',
      'everything',
      'departed',
    ])
    const [ada, bob] = [root.get('ada') as Account, root.get('bob') as Account]
    expect(ada).to.be.instanceOf(Account).and.deep.include({ owner: 'Ada', balance: 11, partner: undefined })
    expect([bob.owner, bob.balance, bob.partner === ada]).to.deep.equal(['Bob', 20, true])
    const counter = root.get('counter') as Counter
    expect(counter).to.be.instanceOf(Counter)
    expect([counter.count, counter.next === bob]).to.deep.equal([7, true])
    expectCollections(root, ada)
    expectEverything(root, ada, bob)
    const departed = root.get('departed') as unknown as { reason: string; account: Account }
    expect(departed).to.be.instanceOf(Placeholder)
    expect([departed.reason, departed.account === ada]).to.deep.equal(['unknown class', true])
    await expectDoomed(connection)
    await connection.close()
  }

  function expectCollections(root: Root<Entries>, ada: Account): void {
    const { map, list, set, tree } = Object.fromEntries(root.entries()) as unknown as Entries
    expect([...map.keys()]).to.deep.equal(['ada', 1, 'text'])
    expect([map.get('ada') === ada, map.get('text')]).to.deep.equal([true, 'x'])
    const pair = map.get(1) as [Account, { ada: Account }]
    expect([pair.length, pair[0] === ada, pair[1].ada === ada]).to.deep.equal([2, true, true])
    expect([list.length, list[0], list[1], list[2] === ada]).to.deep.equal([4, 1, 'two', true])
    expect((list[3] as { three: number }).three).to.equal(3)
    expect([set.size, set.has(1), set.has('two'), set.has(ada)]).to.deep.equal([3, true, true, true])
    const numbers = Array.from({ length: TREE_SIZE }, (_, i) => i * 3).filter((key) => key !== 3)
    expect([...tree.entries()]).to.deep.equal(numbers.map((key) => [key, `value ${key}`]))
    expect(tree.size).to.equal(TREE_SIZE - 1)
  }

  function expectEverything(root: Root<Entries>, ada: Account, bob: Account): void {
    const { reference, references, ...values } = root.get('everything') as Everything
    expect(root.get('everything')).to.be.instanceOf(Everything)
    expect(reference).to.equal(ada)
    const [second, map] = references as [Account, Map<Account, Account>]
    expect([second === bob, map.size, map.get(ada) === bob]).to.deep.equal([true, 1, true])
    const shown = (value: unknown) => inspect(value, { depth: 20, maxArrayLength: null, maxStringLength: null })
    expect(Object.keys(values)).to.deep.equal(Object.keys(everyValue()))
    for (const [name, value] of Object.entries(everyValue())) expect(shown(values[name]), name).to.equal(shown(value))
  }

  /** The object that nothing refers to any more is still there. */
  async function expectDoomed(connection: Awaited<ReturnType<Database<Root<Entries>>['connect']>>): Promise<void> {
    const oids = Array.from({ length: 40 }, (_, oid) => oid)
    const owners = oids.map((oid) => (connection.get(oid) as Account | undefined)?.owner)
    expect(owners.filter((owner) => typeof owner === 'string').sort()).to.deep.equal(['Ada', 'Bob', 'Mallory'])
  }

  /** How the file was opened. */
  function recoveryOf(database: Database<Root<Entries>>): FileStorage['recovery'] {
    return (database.storage as FileStorage).recovery
  }

  function notes(path: string): string[] {
    const file = nodeFileSystem.open(path, 'read')
    const scanner = new JournalScanner(file, checksumSeed(readFileHeader(file).uuid), 128, file.size())
    const found: string[] = []
    for (let next = scanner.next(); next !== undefined; next = scanner.next()) {
      found.push(Buffer.from(next.image.bytes).toString('utf8', 64, 64 + next.header.noteLength))
    }
    file.close()
    return found
  }

  it('are the files that were made once', () => {
    const found = readdirSync(DIRECTORY).map((name) => {
      const bytes = readFileSync(join(DIRECTORY, name))
      expect(bytes.length).to.be.lessThan(65_536)
      return [name, createHash('sha256').update(bytes).digest('hex')]
    })
    expect(Object.fromEntries(found)).to.deep.equal(CHECKSUMS)
  })

  for (const serializer of ['msgpack', 'cbor', 'devalue']) {
    it(`${serializer}: is read whole, verifies, and takes commits`, async () => {
      const path = copy(serializer)
      expect(notes(path)).to.deep.equal(NOTES)
      const database = await start(path)
      expect(recoveryOf(database)).to.deep.equal({
        checkpoint: 'used',
        transactionsReplayed: 0,
        cutAt: undefined,
        cutBytes: 0,
        bytesRewritten: 0,
      })
      expect(database.storage).to.include({ serializer })
      expect(database.storage.statistics()).to.include({ tid: 8, objects: 30 })
      await expectWhole(database)
      expect((await database.verify()).problems).to.deep.equal([])
      await database.transact((root) => {
        ;(root.get('ada') as Account).balance++
      })
      expect(database.storage.statistics()).to.include({ tid: 9, objects: 30 })
    })

    it(`${serializer}: holds every kind of value, equal to the last detail`, async () => {
      const storage = await FileStorage.open(copy(serializer), { readonly: true })
      const snapshot = storage.snapshot()
      const { className, references, state } = decodeRecord(snapshot.load(EVERYTHING)?.data as Uint8Array)
      expect(className).to.equal('Everything')
      expect(references).to.deep.equal([new Reference(1, 'Account'), new Reference(2, 'Account')])
      const at = (position: number) => references[position] as Reference
      const decoded = (await loadSerializer(serializer)).decode(state, { count: references.length, at })
      const [ada, bob] = references
      assertSameValue(decoded, { ...everyValue(), reference: ada, references: [bob, new Map([[ada, bob]])] })
      snapshot.release()
      await storage.close()
    })
  }

  it('missing-checkpoint: is read from the journal alone', async () => {
    for (const readonly of [true, false]) {
      const database = await start(copy('missing-checkpoint'), readonly)
      expect(recoveryOf(database)).to.include({ checkpoint: 'missing', transactionsReplayed: 8, cutAt: undefined })
      await expectWhole(database)
    }
  })

  it('stale-checkpoint: replays what the index file lacks', async () => {
    const database = await start(copy('stale-checkpoint'))
    expect(recoveryOf(database)).to.include({ checkpoint: 'used', transactionsReplayed: 5, cutAt: undefined })
    await expectWhole(database)
  })

  it('foreign-checkpoint: does not use the index file of another database', async () => {
    const database = await start(copy('foreign-checkpoint'))
    expect(recoveryOf(database)).to.include({ checkpoint: 'foreign', transactionsReplayed: 8, cutAt: undefined })
    await expectWhole(database)
  })

  it('killed: needs no repair, whatever the process left', async () => {
    for (const readonly of [true, false]) {
      const database = await start(copy('killed'), readonly)
      expect(recoveryOf(database)).to.include({ checkpoint: 'missing', transactionsReplayed: 8, cutAt: undefined })
      await expectWhole(database)
    }
  })

  it('torn: loses the transaction that was never acknowledged, and nothing else', async () => {
    const database = await start(copy('torn'))
    expect(recoveryOf(database)).to.include({
      checkpoint: 'missing',
      transactionsReplayed: 7,
      cutAt: EIGHTH,
      cutBytes: END - 24 - EIGHTH,
    })
    await database.view((root) => {
      expect(root.get('ada')?.balance).to.equal(10)
      expect(root.get('tree')?.has(3)).to.equal(true)
    })
  })

  it('damaged: is not opened, says where and what to do, and is not changed', async () => {
    for (const readonly of [true, false]) {
      const path = copy('damaged')
      const error = (await failure('PERDURE_CORRUPTION', () => start(path, readonly))) as CorruptionError
      expect(error.offset).to.equal(FOURTH)
      expect(error.message).to.include('repairFile()')
      expect(readFileSync(path).equals(readFileSync(join(DIRECTORY, 'damaged.perdure')))).to.equal(true)
    }
  })

  it('damaged: is repaired but for the object that is lost', async () => {
    const report = await repairFile(copy('damaged'))
    expect(report).to.deep.include({
      damage: [{ offset: FOURTH, length: FIFTH - FOURTH, first: 4, last: 4 }],
      transactions: { whole: 7, partial: 1, lost: 0 },
      salvagedRecords: 1,
      lost: [{ oid: EVERYTHING, className: 'Everything', keptTid: undefined }],
      dangling: [{ oid: 0, className: 'PersistentMap', targetOid: EVERYTHING, targetClassName: 'Everything' }],
    })
    const database = await start(report.to)
    await database.view((root) => {
      expect(root.get('ada')?.balance).to.equal(11)
      expectCollections(root, root.get('ada') as Account)
    })
    const { problems } = await database.verify()
    expect(problems.map(({ kind, oid }) => ({ kind, oid }))).to.deep.equal([{ kind: 'dangling-reference', oid: 0 }])
  })

  it('damaged-record: is opened, but the damaged object is not loaded', async () => {
    const database = await start(copy('damaged-record'))
    expect(recoveryOf(database)).to.include({ checkpoint: 'used', transactionsReplayed: 0 })
    await database.view(async (root) => {
      expectCollections(root, root.get('ada') as Account)
      const everything = root.get('everything') as Everything
      const error = (await failure('PERDURE_CORRUPTION', () => everything['nothing'])) as CorruptionError
      expect(error.offset).to.equal(EVERYTHING_AT)
      expect(error.details.oid).to.equal(EVERYTHING)
      expect(error.message).to.include('repairFile()')
    })
    const { problems } = await database.verify()
    expect(problems).to.have.length(1)
    expect(problems[0]).to.include({ kind: 'damaged', oid: EVERYTHING, offset: EVERYTHING_AT })
  })

  it('damaged-tail: is not taken for torn, as the watermark says that it had been stored', async () => {
    for (const readonly of [true, false]) {
      const path = copy('damaged-tail')
      const error = (await failure('PERDURE_CORRUPTION', () => start(path, readonly))) as CorruptionError
      expect(error.offset).to.equal(EIGHTH)
    }
  })

  it('damaged-header: is not opened, and repaired once the serializer is named', async () => {
    const path = copy('damaged-header')
    const error = (await failure('PERDURE_CORRUPTION', () => start(path))) as CorruptionError
    expect(error.offset).to.equal(0)
    const report = await repairFile(path, { serializer: 'msgpack' })
    expect(report).to.deep.include({ headerDamaged: true, damage: [], lost: [], objects: 30 })
    await expectWhole(await start(report.to))
  })
})

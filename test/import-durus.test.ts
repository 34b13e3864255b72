import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  BTree,
  type Database,
  type DurusImportProgress,
  importDurus,
  oidOf,
  open,
  Persistent,
  PersistentList,
  PersistentMap,
  PersistentSet,
  Placeholder,
} from '../src/index.js'
import { PACKAGE } from './support/documented-programs.js'
import { shelfFile } from './support/durus-files.js'
import { DURUS_FIXTURES, durusFixture, expectUntouched } from './support/durus-fixtures.js'
import { DurusGraph } from './support/durus-graph.js'
import { failure } from './support/errors.js'
import { int, pickleClass } from './support/pickle-writer.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

class Account extends Persistent {
  owner = ''
  balance = 0
}

class Knot extends Persistent {
  name = ''
  next: Knot | undefined
}

interface Expected {
  readonly title: string
  readonly accounts: {
    readonly count: number
    readonly first: readonly [key: string, owner: string, balance: number]
    readonly acct0049: readonly [owner: string, balance: number]
    readonly acct0050: readonly [owner: string, balance: number]
    readonly last: readonly [key: string, owner: string, balance: number]
    readonly balance_sum: number
  }
  readonly list: readonly unknown[]
  readonly set: readonly unknown[]
}

const EXPECTED: Expected = JSON.parse(readFileSync(join(PACKAGE, 'test/fixtures/durus/expected.json'), 'utf8'))

const MAPPING = { classes: { 'fixture_model.Account': Account, 'fixture_model.Node': Knot } }

describe('importDurus', () => {
  let directory: TemporaryDirectory
  let target: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    target = directory.join('new.perdure')
  })

  afterEach(() => directory.remove())

  for (const name of DURUS_FIXTURES) {
    it(`makes of ${name} a database that is all it should be`, async () => {
      const path = durusFixture(name)
      const checkUntouched = expectUntouched(path)
      const report = await importDurus(path, target, { mapping: MAPPING })
      checkUntouched()
      expect(report.changes.map(({ kind, count }) => [kind, count])).to.deep.equal([['tuple', 1]])
      expect(report.tornBytes > 0).to.equal(name === 'shelf-torn-tail')
      const garbage = name === 'shelf-torn-tail' || name === 'shelf-packed' ? 0 : 20 + 1
      expect(report.unreachable).to.equal(garbage)
      await using db = await open(target, { classes: [Account, Knot] })
      const connection = await db.connect()
      const root = connection.root as PersistentMap<string, unknown>
      expectContents(root)
      expect(root.get('after_pack')).to.equal(name === 'shelf-packed' ? 'yes' : undefined)
      expect(root.has('garbage')).to.equal(name === 'shelf-torn-tail')
      await expectSound(db, report)
    })
  }

  function expectContents(root: PersistentMap<string, unknown>): void {
    expect(root).to.be.instanceOf(PersistentMap)
    expect(root.get('title')).to.equal(EXPECTED.title)
    expectAccounts(root.get('accounts') as BTree<string, Account>)
    const list = root.get('list') as PersistentList
    expect(list).to.be.instanceOf(PersistentList)
    expect([...list]).to.deep.equal(EXPECTED.list)
    const set = root.get('set') as PersistentSet
    expect(set).to.be.instanceOf(PersistentSet)
    expect([...set]).to.have.members([...EXPECTED.set])
    const numbers = root.get('numbers') as unknown[]
    const large = 2n ** 80n
    expect(numbers).to.deep.equal([0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, large, 1.5, -0, Infinity])
    expect(Object.is(numbers[6], -0)).to.equal(true)
    const nested = { a: [1, 2, 'x'], b: null, c: true, d: Uint8Array.of(0, 0xff) }
    expect({ ...(root.get('nested') as object) }).to.deep.equal(nested)
    const knot = root.get('cycle') as Knot
    expect(knot).to.be.instanceOf(Knot)
    expect(knot.next?.next).to.equal(knot)
    expect([knot.name, knot.next?.name]).to.deep.equal(['a', 'b'])
  }

  function expectAccounts(accounts: BTree<string, Account>): void {
    const { accounts: expected } = EXPECTED
    expect(accounts).to.be.instanceOf(BTree)
    expect(accounts.size).to.equal(expected.count)
    const entries = Array.from(accounts, ([key, { owner, balance }]) => [key, owner, balance] as const)
    expect(entries).to.have.lengthOf(expected.count)
    expect(entries[0]).to.deep.equal(expected.first)
    expect(entries.at(-1)).to.deep.equal(expected.last)
    expect(entries.reduce((sum, [, , balance]) => sum + balance, 0)).to.equal(expected.balance_sum)
    for (const key of ['acct0049', 'acct0050'] as const) {
      const account = accounts.get(key)
      expect(account).to.be.instanceOf(Account)
      expect([account?.owner, account?.balance]).to.deep.equal(expected[key])
    }
  }

  async function expectSound(
    db: Pick<Database<object>, 'storage' | 'unreachable'>,
    { objects }: { readonly objects: number },
  ): Promise<void> {
    const { problems, objects: verified } = await db.storage.verify()
    expect(problems).to.deep.equal([])
    expect(verified).to.equal(objects)
    expect((await db.unreachable().totals()).objects).to.equal(0)
  }

  it('needs no classes: placeholders can be looked at', async () => {
    const report = await importDurus(durusFixture('shelf'), target, { serializer: 'cbor' })
    expect(report.classes[0]).to.deep.equal({ pythonName: 'fixture_model.Account', className: 'Account', objects: 300 })
    await using db = await open(target)
    expect(db.storage.serializer).to.equal('cbor')
    const root = (await db.connect()).root as PersistentMap<string, unknown>
    const account = (root.get('accounts') as BTree<string, Account>).get('acct0049') as Account
    expect(account).to.be.instanceOf(Placeholder)
    expect({ ...account }).to.deep.equal({ owner: 'owner49', balance: 491 })
  })

  it('goes on giving oids that Durus has never given', async () => {
    await importDurus(durusFixture('shelf'), target)
    await using db = await open(target, { classes: [Account] })
    const connection = await db.connect()
    const account = new Account()
    ;(connection.root as PersistentMap<string, unknown>).set('new', account)
    await connection.commit()
    const before = await importDurus(durusFixture('shelf'), directory.join('raw.perdure'), { raw: true })
    expect(oidOf(account)).to.be.at.least(before.objects)
    expect((await db.storage.verify()).problems).to.deep.equal([])
  })

  it('keeps pickles as they are, if that is wanted', async () => {
    const report = await importDurus(durusFixture('dfs20'), target, { raw: true })
    expect(report).to.deep.include({ format: 'DFS20', objects: 346, unreachable: 0, changes: [] })
    await failure('PERDURE_SERIALIZER', () => open(target))
    await failure('PERDURE_ARGUMENT', () => importDurus(target, directory.join('x'), { raw: true, serializer: 'cbor' }))
  })

  it('tells how far it has come', async () => {
    const told: DurusImportProgress[] = []
    await importDurus(durusFixture('shelf'), target, { onProgress: (progress) => told.push(progress) })
    expect([...new Set(told.map(({ phase }) => phase))]).to.deep.equal(['survey', 'map'])
    for (const { objects, objectsTotal } of told) expect(objects).to.be.at.most(objectsTotal)
    expect(told.at(-1)).to.include({ objects: 325, objectsTotal: 325 })
  })

  it('leaves nothing behind when it fails, and the source as it is', async () => {
    const graph = new DurusGraph()
    graph.root(['bad', graph.set(1, int(5), null)])
    const bad = directory.join('bad.durus')
    writeFileSync(bad, shelfFile([], [graph.objects()]).bytes)
    const deep = directory.join('deep.durus')
    graph.root(['bad', graph.set(1, pickleClass('a', 'B'), { dict: [['x', nested(600)]] })])
    writeFileSync(deep, shelfFile([], [graph.objects()]).bytes)
    const checkUntouched = [expectUntouched(bad), expectUntouched(deep)]
    expect((await failure('PERDURE_DECODE', () => importDurus(bad, target))).details).to.include({ oid: 1, offset: 0 })
    expect((await failure('PERDURE_UNSTORABLE', () => importDurus(deep, target))).details.oid).to.equal(1)
    await failure('PERDURE_NOT_A_DATABASE', () => importDurus(join(PACKAGE, 'package.json'), target))
    await failure('PERDURE_NOT_FOUND', () => importDurus(directory.join('none'), target))
    await failure('PERDURE_ARGUMENT', () => importDurus(bad, target, { storage: 'tape' }))
    await failure('PERDURE_SERIALIZER', () => importDurus(bad, target, { serializer: 'tape' }))
    await failure('PERDURE_ARGUMENT', () => importDurus(bad, target, { serialiser: 'cbor' } as object))
    await failure('PERDURE_ARGUMENT', () => importDurus(durusFixture('shelf'), deep))
    for (const check of checkUntouched) check()
    expect(readdirSync(directory.path).sort()).to.deep.equal(['bad.durus', 'deep.durus'])
  })

  it('gives up when it is told to, and leaves nothing behind', async () => {
    for (const phase of ['survey', 'map']) {
      const controller = new AbortController()
      const given = importDurus(durusFixture('shelf'), target, {
        signal: controller.signal,
        onProgress: (progress) => progress.phase === phase && controller.abort(new Error(phase)),
      })
      expect(await given.catch(({ message }) => message)).to.equal(phase)
      expect(readdirSync(directory.path)).to.deep.equal([])
    }
  })

  it('lets nobody read what could not be read before', async () => {
    const source = directory.join('private.durus')
    writeFileSync(source, readFileSync(durusFixture('shelf')), { mode: 0o600 })
    await importDurus(source, target)
    expect(statSync(target).mode & 0o777).to.equal(0o600)
    expect(existsSync(`${target}.converting`)).to.equal(false)
  })
})

function nested(depth: number): { list: never[] } {
  let value: { list: never[] } = { list: [] }
  for (let i = 0; i < depth; i++) value = { list: [value as never] }
  return value
}

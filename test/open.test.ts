import { EventEmitter, once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'chai'
import {
  BTree,
  type Database,
  open,
  type PackResult,
  Persistent,
  PersistentList,
  PersistentMap,
  PersistentSet,
  type Root,
} from '../src/index.js'
import { FileStorage, MemoryStorage } from '../src/storages/index.js'
import { failure } from './support/errors.js'
import { inverted } from './support/inverted-serializer.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

class Account extends Persistent {
  owner = ''
  balance = 0
}

interface Entries {
  accounts: BTree<string, Account>
  log: PersistentList<string>
  index: PersistentMap<string, PersistentSet<number>>
}

describe('open', () => {
  let directory: TemporaryDirectory
  const path = () => directory.join('bank.perdure')
  const opened: { close(): Promise<void> }[] = []

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(async () => {
    for (const db of opened.splice(0)) await db.close()
    directory.remove()
  })

  async function start(...parameters: Parameters<typeof open>): Promise<Database<Root<Entries>>> {
    const db = await open<Entries>(...parameters)
    opened.push(db)
    return db
  }

  async function fill(db: Database<Root<Entries>>): Promise<void> {
    await db.transact((root) => {
      root.set('accounts', new BTree([['ada', Object.assign(new Account(), { owner: 'Ada', balance: 5 })]]))
      root.set('log', new PersistentList(['created']))
      root.set('index', new PersistentMap([['numbers', new PersistentSet([1, 2])]]))
    })
  }

  async function check(db: Database<Root<Entries>>): Promise<void> {
    await db.view((root) => {
      expect(root.get('accounts')?.get('ada')).to.be.instanceOf(Account)
      expect(root.get('accounts')?.get('ada')?.balance).to.equal(5)
      expect([...(root.get('log') ?? [])]).to.deep.equal(['created'])
      expect([...(root.get('index')?.get('numbers') ?? [])]).to.deep.equal([1, 2])
    })
  }

  for (const serializer of ['msgpack', 'cbor', 'devalue', inverted.name]) {
    it(`keeps everything with the serializer ${serializer}, which it remembers, and verifies it`, async () => {
      const db = await start(path(), { classes: [Account], serializer })
      await fill(db)
      await db.close()
      const again = await start(path(), { classes: [Account] })
      expect(again.serializer).to.equal(serializer)
      await check(again)
      const report = await again.verify()
      expect(report.problems).to.deep.equal([])
      expect(report.classes.get('Account')).to.equal(1)
    })
  }

  it('names both serializers when another one is asked for, and leaves the file alone', async () => {
    await (await start(path(), { serializer: 'cbor' })).close()
    const error = await failure('PERDURE_SERIALIZER', () => open(path(), { serializer: 'msgpack' }))
    expect(error.message).to.include('cbor').and.to.include('msgpack')
    await (await start(path())).close()
  })

  it('creates nothing for a serializer that does not exist', async () => {
    await failure('PERDURE_SERIALIZER', () => open(path(), { serializer: 'yaml' }))
    expect(readdirSync(directory.path)).to.deep.equal([])
  })

  it('removes a temporary database when it is closed', async () => {
    const db = await start(undefined, { classes: [Account] })
    await fill(db)
    const { location } = db.storage
    expect(existsSync(location)).to.equal(true)
    await db.close()
    expect(existsSync(location)).to.equal(false)
  })

  it('takes a storage, and refuses one of another serializer', async () => {
    const db = await start(new MemoryStorage({ serializer: 'cbor' }), { classes: [Account] })
    await fill(db)
    await check(db)
    await failure('PERDURE_SERIALIZER', () => open(new MemoryStorage(), { serializer: 'cbor' }))
  })

  it('reads a file readonly without creating anything', async () => {
    await failure('PERDURE_NOT_FOUND', () => open(path(), { readonly: true }))
    const db = await start(path(), { classes: [Account] })
    await fill(db)
    const reader = await start(path(), { classes: [Account], readonly: true })
    await check(reader)
    await failure('PERDURE_READONLY', () => fill(reader))
    await reader.close()
    await check(db)
  })

  it('refuses options that do not exist or cannot be, and suggests what was meant', async () => {
    const misspelled = await failure('PERDURE_ARGUMENT', () => open(path(), { durabilty: 'os' } as never))
    expect(misspelled.message).to.include('durability')
    await failure('PERDURE_ARGUMENT', () => open(path(), { durability: 'never' as never }))
    await failure('PERDURE_ARGUMENT', () => open(path(), { cacheSize: 0 }))
    await failure('PERDURE_ARGUMENT', () => open(path(), { isolation: 'none' as never }))
    await failure('PERDURE_ARGUMENT', () => open({} as never))
    await failure('PERDURE_UNSUPPORTED', () => open('http://localhost:2972'))
    await failure('PERDURE_ARGUMENT', () => open('perdure://localhost:2972/path'))
    await failure('PERDURE_CLASS', () => open(path(), { classes: [Date] }))
    expect(readdirSync(directory.path).filter((name) => !name.startsWith('bank.perdure'))).to.deep.equal([])
  })

  it('can be opened again after a failure, since nothing stays locked', async () => {
    await failure('PERDURE_ARGUMENT', () => open(path(), { cacheSize: 0 }))
    await (await start(path())).close()
  })

  it('closes storages by await using, too', async () => {
    const kept: { snapshot(): unknown }[] = []
    {
      await using memory = new MemoryStorage()
      await using file = await FileStorage.open(path())
      kept.push(memory, file)
      expect([memory.snapshot().tid, file.snapshot().tid]).to.deep.equal([0, 0])
    }
    for (const storage of kept) await failure('PERDURE_CLOSED', () => storage.snapshot())
  })

  it('closes by await using', async () => {
    {
      await using db = await open<Entries>(path(), { classes: [Account] })
      await fill(db)
    }
    await check(await start(path(), { classes: [Account] }))
  })

  describe('with automatic packs', () => {
    it('packs by itself, and reports it, until it is closed', async () => {
      const packed = new EventEmitter()
      const report = once(packed, 'pack')
      const db = await open(path(), { gcBytes: 1000, onPack: (result) => packed.emit('pack', result) })
      opened.push(db)
      await db.transact((root) => root.set('text', 'x'.repeat(2000)))
      await db.transact((root) => root.delete('text'))
      const [{ objectsAfter }] = (await report) as [PackResult]
      expect(objectsAfter).to.equal(1)
      expect(db.statistics).to.include({ packs: 1 })
    })

    it('refuses impossible options before there is a file, and handles that cannot pack', async () => {
      await failure('PERDURE_ARGUMENT', () => open(path(), { gcInterval: 'weekly' }))
      await failure('PERDURE_ARGUMENT', () => open(path(), { gcByte: 5 } as object))
      expect(existsSync(path())).to.equal(false)
      const db = await open(path())
      opened.push(db)
      await failure('PERDURE_UNSUPPORTED', () => open(path(), { readonly: true, gcBytes: 5 }))
      await failure('PERDURE_UNSUPPORTED', () => open(db.share().handle, { gcBytes: 5 }))
    })
  })
})

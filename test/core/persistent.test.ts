import { inspect } from 'node:util'
import { expect } from 'chai'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { HEADER } from '../../src/core/header.js'
import { isPersistent, noteChange, Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Account extends Persistent {
  owner = 'nobody'
  balance = 0
  tags: string[] = []
  _v_hits = 0

  deposit(amount: number): void {
    this.balance += amount
  }

  get doubled(): number {
    return this.balance * 2
  }

  set doubled(value: number) {
    this.balance = value / 2
  }
}

class PlainAccount {
  owner = 'nobody'
  balance = 0
  tags: string[] = []
}

describe('Persistent', () => {
  let db: Database<Root>
  let connection: Connection<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Account])
    connection = await db.connect()
    connection.root['ada'] = Object.assign(new Account(), { owner: 'Ada', tags: ['a'] })
    await connection.commit()
  })

  afterEach(() => db.close())

  async function reloaded(): Promise<Account> {
    const other = await db.connect()
    return other.root['ada'] as Account
  }

  for (const [when, get] of [
    ['before commit', async () => Object.assign(new Account(), { owner: 'Ada', tags: ['a'] })],
    ['after commit', async () => connection.root['ada'] as Account],
    ['after loading', () => reloaded()],
  ] as const) {
    describe(`looks like a plain object ${when}`, () => {
      const plain = Object.assign(new PlainAccount(), { owner: 'Ada', tags: ['a'] })
      let ada: Account

      beforeEach(async () => {
        ada = await get()
        delete (ada as Partial<Account>)._v_hits
      })

      it('to Object.keys, entries, spread and for-in', () => {
        expect(Object.keys(ada)).to.deep.equal(Object.keys(plain))
        expect(Object.entries(ada)).to.deep.equal(Object.entries(plain))
        expect({ ...ada }).to.deep.equal({ ...plain })
        const names: string[] = []
        for (const name in ada) names.push(name)
        expect(names).to.deep.equal(Object.keys(plain))
      })

      it('to JSON and console.log', () => {
        expect(JSON.stringify(ada)).to.equal(JSON.stringify(plain))
        expect(inspect(ada)).to.equal("Account { owner: 'Ada', balance: 0, tags: [ 'a' ] }")
      })

      it('to in, hasOwn, delete and instanceof', () => {
        expect('owner' in ada).to.equal(true)
        expect('deposit' in ada).to.equal(true)
        expect('missing' in ada).to.equal(false)
        expect(Object.hasOwn(ada, 'owner')).to.equal(true)
        expect(Object.hasOwn(ada, 'deposit')).to.equal(false)
        expect(delete (ada as { owner?: string }).owner).to.equal(true)
        expect('owner' in ada).to.equal(false)
        expect(ada).to.be.instanceOf(Account)
        expect(ada.constructor).to.equal(Account)
      })

      it('to methods, getters and setters', () => {
        ada.deposit(5)
        expect(ada.doubled).to.equal(10)
        ada.doubled = 8
        expect(ada.balance).to.equal(4)
        expect(Object.keys(ada)).to.not.include('doubled')
      })

      it('to destructuring and property descriptors', () => {
        const { owner, ...rest } = ada
        expect(owner).to.equal('Ada')
        expect(rest).to.deep.equal({ balance: 0, tags: ['a'] })
        expect(Object.getOwnPropertyDescriptor(ada, 'owner')).to.deep.equal(
          Object.getOwnPropertyDescriptor(plain, 'owner'),
        )
        expect(Object.getOwnPropertyDescriptor(ada, 'deposit')).to.equal(undefined)
      })
    })
  }

  it('stores every kind of change of a field', async () => {
    const ada = connection.root['ada'] as Account & Record<string, unknown>
    ada.deposit(10)
    ada['added'] = 1
    delete (ada as { owner?: string }).owner
    Object.defineProperty(ada, 'defined', { value: 2, writable: true, enumerable: true, configurable: true })
    Object.assign(ada, { assigned: 3 })
    await connection.commit()
    expect({ ...(await reloaded()) }).to.deep.equal({ balance: 10, tags: ['a'], added: 1, defined: 2, assigned: 3 })
  })

  it('keeps names that belong to Object.prototype apart', async () => {
    const odd = connection.root['ada'] as unknown as Record<string, unknown>
    odd['toString'] = 'mine'
    odd['constructor'] = 'mine too'
    Object.defineProperty(odd, '__proto__', {
      value: 'even this',
      writable: true,
      enumerable: true,
      configurable: true,
    })
    await connection.commit()
    const again = (await reloaded()) as unknown as Record<string, unknown>
    expect(again['toString']).to.equal('mine')
    expect(again['constructor']).to.equal('mine too')
    expect(Object.getOwnPropertyDescriptor(again, '__proto__')?.value).to.equal('even this')
    expect(again).to.be.instanceOf(Account)
  })

  it('does not run constructors or field initialisers when loading', async () => {
    let runs = 0
    class Counted extends Persistent {
      field = ++runs
    }
    db.registerClass(Counted)
    connection.root['counted'] = new Counted()
    await connection.commit()
    const other = await db.connect()
    expect((other.root['counted'] as Counted).field).to.equal(1)
    expect(runs).to.equal(1)
  })

  it('never stores volatile fields, and does not count them as changes', async () => {
    const ada = connection.root['ada'] as Account & { _v_cache?: object }
    const cache = { any: () => 'thing' }
    ada._v_cache = cache
    expect(ada._v_cache).to.equal(cache)
    expect(connection.statistics.changed).to.equal(0)
    ada.balance = 1
    await connection.commit()
    expect(Object.keys(await reloaded())).to.deep.equal(['owner', 'balance', 'tags'])
  })

  it('takes writing the same primitive again for no change', () => {
    const ada = connection.root['ada'] as Account
    ada.owner = 'Ada'
    expect(connection.statistics.changed).to.equal(0)
    ada.balance = -0
    expect(connection.statistics.changed).to.equal(1)
  })

  it('refuses accessor and hidden properties, freezing, and a new prototype', async () => {
    const ada = connection.root['ada'] as Account
    await failure('PERDURE_ARGUMENT', () =>
      Object.defineProperty(ada, 'x', { get: () => 1, configurable: true, enumerable: true }),
    )
    await failure('PERDURE_ARGUMENT', () => Object.defineProperty(ada, 'x', { value: 1 }))
    expect(() => Object.freeze(ada)).to.throw(TypeError)
    expect(() => Object.setPrototypeOf(ada, null)).to.throw(TypeError)
    expect(Object.setPrototypeOf(ada, Account.prototype)).to.equal(ada)
  })

  it('lets other objects inherit from an instance', () => {
    const ada = connection.root['ada'] as Account
    const child = Object.create(ada) as Account
    child.balance = 7
    expect(child.balance).to.equal(7)
    expect(ada.balance).to.equal(0)
    expect(connection.statistics.changed).to.equal(0)
  })

  it('needs noteChange for bytes edited in place', async () => {
    const ada = connection.root['ada'] as Account & { photo: Uint8Array }
    ada.photo = new Uint8Array([1, 2, 3])
    await connection.commit()
    ada.photo[0] = 9
    expect(connection.statistics.changed).to.equal(0)
    noteChange(ada)
    await connection.commit()
    expect([...((await reloaded()) as typeof ada).photo]).to.deep.equal([9, 2, 3])
    await failure('PERDURE_ARGUMENT', () => noteChange({}))
  })

  it('stores bytes edited in place even if their object left the cache before noteChange', async () => {
    const ada = connection.root['ada'] as Account & { photo: Uint8Array }
    Object.assign(ada, { photo: new Uint8Array(3) })
    connection.root['ben'] = new Account()
    await connection.commit()
    await using small = await db.connect({ cacheSize: 1 })
    const again = small.root['ada'] as typeof ada
    const { photo } = again
    expect((small.root['ben'] as Account).balance).to.equal(0)
    // A WeakRef keeps its target until the end of the job in which it was made.
    await new Promise(setImmediate)
    globalThis.gc?.()
    photo[0] = 9
    noteChange(again)
    await small.commit()
    expect([...((await reloaded()) as typeof ada).photo]).to.deep.equal([9, 0, 0])
  })

  it('tells persistent objects from others without loading them', async () => {
    const other = await db.connect()
    const ada = other.root['ada'] as Account
    const loads = other.statistics.loads
    expect(isPersistent(ada)).to.equal(true)
    expect(isPersistent({})).to.equal(false)
    expect(isPersistent(null)).to.equal(false)
    expect(isPersistent(ada.tags)).to.equal(false)
    expect(other.statistics.loads).to.equal(loads + 1)
    expect(ada[HEADER]?.oid).to.be.a('number')
  })
})

import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { oidOf, Persistent } from '../../src/core/persistent.js'
import type { TransactionInfo } from '../../src/core/storage.js'
import type { TransactOptions } from '../../src/core/transact.js'
import { FileStorage } from '../../src/storages/file.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Account extends Persistent {
  owner = ''
  balance = 0
  friends: Account[] = []
}

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of from) items.push(item)
  return items
}

describe('The past of a database', () => {
  let db: Database<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Account], {}, await FileStorage.open(undefined, { durability: 'os' }))
  })

  afterEach(() => db.close())

  const ada = (connection: { readonly root: Root }) => connection.root['ada'] as Account

  async function setBalance(balance: number, options: TransactOptions = {}): Promise<void> {
    await db.transact((root) => {
      ada({ root }).balance = balance
    }, options)
  }

  /** Transactions 2 to 4: Ada's account, its balance 10 by Grace, and a friend with balance 20. */
  async function threeTransactions(): Promise<void> {
    await db.transact((root) => {
      root['ada'] = Object.assign(new Account(), { owner: 'Ada' })
    })
    await setBalance(10, { user: 'grace', note: 'deposit' })
    await db.transact((root) => {
      const account = root['ada'] as Account
      account.balance = 20
      account.friends.push(Object.assign(new Account(), { owner: 'Linus' }))
    })
  }

  describe('at', () => {
    it('shows everything as it was then, and goes on to do so', async () => {
      await threeTransactions()
      const second = await db.at(2)
      const third = await db.at(3)
      const fourth = await db.at(4)
      expect([ada(second).balance, ada(third).balance, ada(fourth).balance]).to.deep.equal([0, 10, 20])
      expect(ada(fourth).friends[0]?.owner).to.equal('Linus')
      expect([second.tid, third.tid, fourth.tid]).to.deep.equal([2, 3, 4])
      await setBalance(30)
      second.abort()
      await third.commit()
      expect([ada(second).balance, ada(third).balance, ada(fourth).balance]).to.deep.equal([0, 10, 20])
      expect([second.tid, third.tid]).to.deep.equal([2, 3])
      expect(await all(second.crawl())).to.deep.equal([second.root, ada(second)])
      for (const connection of [second, third, fourth]) await connection.close()
    })

    it('takes a time', async () => {
      await threeTransactions()
      const [, , deposit] = await all(db.history())
      const connection = await db.at(new Date())
      expect(ada(connection).balance).to.equal(20)
      await connection.close()
      const early = await db.at(deposit?.time as Date)
      expect(early.tid).to.be.at.least(3)
      await early.close()
    })

    it('shows nothing at all before the first transaction', async () => {
      await using connection = await db.at(0)
      await failure('PERDURE_OBJECT_MISSING', () => connection.root)
      expect(connection.get(0)).to.equal(undefined)
    })

    it('refuses changes', async () => {
      await threeTransactions()
      const connection = await db.at(3)
      const account = ada(connection)
      await failure('PERDURE_READONLY', () => {
        account.balance = 7
      })
      await failure('PERDURE_READONLY', () => account.friends.push(new Account()))
      expect(account.balance).to.equal(10)
      expect(await connection.commit()).to.equal(3)
      await connection.close()
      await failure('PERDURE_CLOSED', () => connection.root)
    })

    it('refuses what never was', async () => {
      for (const at of [5, -1, 1.5, new Date(Number.NaN)]) await failure('PERDURE_ARGUMENT', () => db.at(at))
    })

    it('gives back what it reads when it is closed, and what it could not use', async () => {
      await threeTransactions()
      const { storage } = db
      const counts = { taken: 0, released: 0 }
      const snapshotAt = storage.snapshotAt.bind(storage)
      storage.snapshotAt = async (at) => {
        const snapshot = await snapshotAt(at)
        const release = snapshot.release.bind(snapshot)
        counts.taken++
        snapshot.release = () => {
          counts.released++
          release()
        }
        return snapshot
      }
      const connection = await db.at(2)
      ada(connection)
      connection.abort()
      expect(counts).to.deep.equal({ taken: 1, released: 0 })
      await connection.close()
      expect(counts).to.deep.equal({ taken: 1, released: 1 })
      await failure('PERDURE_ARGUMENT', () => db.at(2, { cacheSize: 0 }))
      expect(counts).to.deep.equal({ taken: 2, released: 2 })
      const current = await db.connect()
      for await (const { load } of current.history(ada(current))) await load()
      await current.close()
      await failure('PERDURE_CONFLICT', () => db.undo(3))
      await db.close()
      expect(counts.released).to.equal(counts.taken)
    })

    it('ends with the database', async () => {
      await threeTransactions()
      const connection = await db.at(3)
      const account = ada(connection)
      const opening = db.at(2)
      await db.close()
      await failure('PERDURE_CLOSED', () => account.balance)
      await failure('PERDURE_CLOSED', () => opening)
      await failure('PERDURE_CLOSED', () => db.at(2))
      await failure('PERDURE_CLOSED', () => db.history())
    })
  })

  describe('history', () => {
    const brief = ({ tid, note, user }: TransactionInfo) => ({ tid, note, user })

    it('tells notes and users of all ways to commit', async () => {
      await threeTransactions()
      const connection = await db.connect()
      ada(connection).balance = 40
      await connection.commit({ note: 'by hand', user: 'ada' })
      await connection.close()
      expect((await all(db.history())).map(brief)).to.deep.equal([
        { tid: 1, note: 'database created', user: '' },
        { tid: 2, note: '', user: '' },
        { tid: 3, note: 'deposit', user: 'grace' },
        { tid: 4, note: '', user: '' },
        { tid: 5, note: 'by hand', user: 'ada' },
      ])
      const tids = await all(db.history({ from: 2, to: 4, newestFirst: true }))
      expect(tids.map(({ tid }) => tid)).to.deep.equal([4, 3, 2])
    })

    it('names the objects, and finds what happened to one', async () => {
      await threeTransactions()
      const oid = await db.view((root) => oidOf(root['ada'] as Account))
      const infos = await all(db.history({ oid: oid as number }))
      expect(infos.map(({ tid, oids }) => [tid, oids.includes(oid as number)])).to.deep.equal([
        [2, true],
        [3, true],
        [4, true],
      ])
    })

    it('is refused by a storage without one', async () => {
      const other = await memoryDatabase()
      await failure('PERDURE_UNSUPPORTED', () => all(other.history()))
      await failure('PERDURE_UNSUPPORTED', () => other.at(1))
      await failure('PERDURE_UNSUPPORTED', () => other.undo(2))
      await other.close()
    })
  })

  describe('the versions of an object', () => {
    let connection: Connection<Root>

    beforeEach(async () => {
      await threeTransactions()
      connection = await db.connect()
    })

    afterEach(() => connection.close())

    it('are listed from the newest back, with what the object was', async () => {
      const found: unknown[] = []
      for await (const { tid, note, user, time, load } of connection.history(ada(connection))) {
        const account = await load()
        expect(time).to.be.an.instanceof(Date)
        found.push({ tid, note, user, balance: account.balance, friends: account.friends.map(({ owner }) => owner) })
      }
      expect(found).to.deep.equal([
        { tid: 4, note: '', user: '', balance: 20, friends: ['Linus'] },
        { tid: 3, note: 'deposit', user: 'grace', balance: 10, friends: [] },
        { tid: 2, note: '', user: '', balance: 0, friends: [] },
      ])
    })

    it('are those of the snapshot', async () => {
      const account = ada(connection)
      expect(account.balance).to.equal(20)
      await setBalance(50)
      const versions = await all(connection.history(account))
      expect(versions.map(({ tid }) => tid)).to.deep.equal([4, 3, 2])
      connection.abort()
      expect((await all(connection.history(account))).length).to.equal(4)
      await using past = await db.at(3)
      expect((await all(past.history(ada(past)))).map(({ tid }) => tid)).to.deep.equal([3, 2])
    })

    it('count as read: what was decided by them must still hold at commit', async () => {
      const account = ada(connection)
      connection.abort()
      const other = connection.get(0) as Root
      const versions = await all(connection.history(account))
      await setBalance(50)
      other['versions'] = versions.length
      await failure('PERDURE_CONFLICT', () => connection.commit())
      connection.abort()
    })

    it('can be compared with each other, and be brought back, until the transaction ends', async () => {
      const versions = await all(connection.history(ada(connection)))
      const [newest, , oldest] = await Promise.all(versions.map(({ load }) => load()))
      expect([newest?.balance, oldest?.balance, ada(connection).balance]).to.deep.equal([20, 0, 20])
      expect(await versions[2]?.load()).to.equal(oldest)
      ada(connection).balance = oldest?.balance ?? -1
      await connection.commit()
      expect(ada(connection).balance).to.equal(0)
      await failure('PERDURE_CLOSED', () => newest?.balance)
      const again = await versions[0]?.load()
      expect(again?.balance).to.equal(20)
      connection.abort()
      await nextTurn()
      await failure('PERDURE_CLOSED', () => again?.owner)
    })

    it('of an object of another connection are refused', async () => {
      await using other = await db.connect()
      const stranger = ada(other)
      for (const object of [stranger, new Account(), {}]) {
        await failure('PERDURE_ARGUMENT', () => all(connection.history(object)))
      }
    })
  })
})

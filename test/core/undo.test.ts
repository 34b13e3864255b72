import { expect } from 'chai'
import { BTree } from '../../src/collections/btree.js'
import type { Database } from '../../src/core/database.js'
import { ConflictError } from '../../src/core/errors.js'
import { oidOf, Persistent } from '../../src/core/persistent.js'
import { encodeRecord } from '../../src/core/record.js'
import type { TransactionInfo } from '../../src/core/storage.js'
import { FileStorage } from '../../src/storages/file.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Box extends Persistent {
  item: Account | undefined
}

class Account extends Persistent {
  owner = ''
  balance = 0
}

describe('undo', () => {
  let db: Database<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Account, Box, BTree], {}, await FileStorage.open(undefined, { durability: 'os' }))
    await db.transact((root) => {
      root['ada'] = Object.assign(new Account(), { owner: 'Ada', balance: 100 })
      root['bob'] = Object.assign(new Account(), { owner: 'Bob' })
    })
  })

  afterEach(() => db.close())

  const account = (root: Root, name: string) => root[name] as Account

  const balances = () => db.view((root) => [account(root, 'ada').balance, account(root, 'bob').balance])

  async function move(amount: number): Promise<number> {
    return db.transact(async (root, connection) => {
      account(root, 'ada').balance -= amount
      account(root, 'bob').balance += amount
      return connection.commit({ note: `move ${amount}` })
    })
  }

  async function newest(): Promise<TransactionInfo> {
    for await (const info of db.history({ newestFirst: true })) return info
    throw new Error('There are no transactions.')
  }

  it('takes one transaction back, and says so', async () => {
    const moved = await move(30)
    await db.transact((root) => {
      root['other'] = new Account()
    })
    const undone = await db.undo(moved)
    expect(await balances()).to.deep.equal([100, 0])
    const { tid, note, user, oids } = await newest()
    expect({ tid, note, user, count: oids.length }).to.deep.equal({
      tid: undone,
      note: `undo of transaction ${moved}`,
      user: '',
      count: 2,
    })
    expect(await db.view((root) => root['other'])).to.be.an.instanceof(Account)
  })

  it('can itself be undone, and that again', async () => {
    const moved = await move(30)
    const undone = await db.undo(moved, { note: 'wrong account', user: 'grace' })
    expect(await newest()).to.include({ note: 'wrong account', user: 'grace' })
    const redone = await db.undo(undone)
    expect(await balances()).to.deep.equal([70, 30])
    await db.undo(redone)
    expect(await balances()).to.deep.equal([100, 0])
    await failure('PERDURE_CONFLICT', () => db.undo(moved))
  })

  it('names what has been changed since, and changes nothing then', async () => {
    const moved = await move(30)
    const again = await move(5)
    const { tid: before } = await newest()
    const error = (await failure('PERDURE_CONFLICT', () => db.undo(moved))) as ConflictError
    expect(error).to.be.an.instanceof(ConflictError)
    const oids = await db.view((root) => [oidOf(account(root, 'ada')), oidOf(account(root, 'bob'))])
    expect(error.conflicts).to.deep.equal(oids.map((oid) => ({ oid, className: 'Account', tid: again })))
    expect(error.base).to.equal(moved)
    expect(error.message).to.include(`Transaction ${moved} cannot be undone`)
    expect((await newest()).tid).to.equal(before)
    await db.undo(again)
    expect(await balances()).to.deep.equal([70, 30])
  })

  it('is seen by connections that have the objects', async () => {
    const moved = await move(30)
    const connection = await db.connect()
    const ada = account(connection.root, 'ada')
    expect(ada.balance).to.equal(70)
    await db.undo(moved)
    expect(ada.balance, 'the snapshot goes on').to.equal(70)
    ada.balance = 1
    await failure('PERDURE_CONFLICT', () => connection.commit())
    connection.abort()
    expect(ada.balance).to.equal(100)
    await connection.close()
  })

  it('leaves objects that the transaction made, but what it changed no longer refers to them', async () => {
    const made = await db.transact(async (root, connection) => {
      root['carol'] = Object.assign(new Account(), { owner: 'Carol' })
      return connection.commit()
    })
    const oid = await db.view((root) => oidOf(account(root, 'carol')) as number)
    await db.undo(made)
    await using connection = await db.connect()
    expect(connection.root['carol']).to.equal(undefined)
    expect((connection.get(oid) as Account).owner).to.equal('Carol')
  })

  it('is no matter of who refers to an object that the transaction made', async () => {
    await db.transact((root) => {
      root['box'] = new Box()
    })
    const made = await db.transact(async (root, connection) => {
      root['carol'] = Object.assign(new Account(), { owner: 'Carol' })
      return connection.commit()
    })
    await db.transact((root) => {
      ;(root['box'] as Box).item = account(root, 'carol')
    })
    await db.undo(made)
    const owner = await db.view((root) => [root['carol'], ((root['box'] as Box).item as Account).owner])
    expect(owner).to.deep.equal([undefined, 'Carol'])
  })

  it('is refused if an object that the transaction made has been changed since', async () => {
    const made = await db.transact(async (root, connection) => {
      root['carol'] = new Account()
      return connection.commit()
    })
    await db.transact((root) => {
      account(root, 'carol').balance = 7
    })
    await failure('PERDURE_CONFLICT', () => db.undo(made))
  })

  it('stores nothing if there is nothing to take back', async () => {
    const { storage } = db
    const { tid: made } = await storage.commit({ base: 2, reads: [], writes: [loneRecord(storage.allocateOids(1))] })
    expect(await db.undo(made as number)).to.equal(made)
    expect((await newest()).tid).to.equal(made)
  })

  it('is refused if that happens at the very moment', async () => {
    const made = await db.transact(async (root, connection) => {
      root['carol'] = new Account()
      return connection.commit()
    })
    const { storage } = db
    const commit = storage.commit.bind(storage)
    storage.commit = async (request) => {
      storage.commit = commit
      await db.transact((root) => {
        account(root, 'carol').balance = 7
      })
      return commit(request)
    }
    const error = (await failure('PERDURE_CONFLICT', () => db.undo(made))) as ConflictError
    expect(error.conflicts.map(({ tid }) => tid)).to.deep.equal([made + 1])
    expect(await db.view((root) => account(root, 'carol').balance)).to.equal(7)
  })

  for (const moment of ['transactions', 'commit'] as const) {
    it(`says so when a pack removes meanwhile what it needs (${moment})`, async () => {
      const deleted = await db.transact(async (root, connection) => {
        delete root['bob']
        return connection.commit()
      })
      const { storage } = db
      const original = storage[moment].bind(storage) as (...args: never[]) => never
      const pack = storage.pack.bind(storage)
      if (moment === 'commit') {
        storage.commit = async (request) => {
          await pack()
          return original(request as never)
        }
      } else {
        storage.transactions = async function* (range) {
          for await (const info of original(range as never) as AsyncIterable<TransactionInfo>) {
            await pack()
            yield info
          }
        }
      }
      const { details } = await failure('PERDURE_HISTORY', () => db.undo(deleted))
      expect(details).to.include({ historyFrom: deleted })
    })
  }

  it('works on many nodes of a tree, and without the classes', async () => {
    await db.transact((root) => {
      root['tree'] = new BTree<number, string>()
      for (let i = 0; i < 2000; i++) (root['tree'] as BTree<number, string>).set(i, `${i}`)
    })
    const emptied = await db.transact(async (root, connection) => {
      const tree = root['tree'] as BTree<number, string>
      for (let i = 0; i < 2000; i += 2) tree.delete(i)
      return connection.commit()
    })
    expect(await db.view((root) => (root['tree'] as BTree<number, string>).size)).to.equal(1000)
    await db.undo(emptied)
    const entries = await db.view((root) => [...(root['tree'] as BTree<number, string>).keys()])
    expect(entries).to.deep.equal(Array.from({ length: 2000 }, (_, i) => i))
  })

  it('refuses the first transaction, and what is none', async () => {
    for (const tid of [1, 0, -3, 3, 99, 1.5]) await failure('PERDURE_ARGUMENT', () => db.undo(tid))
    expect((await failure('PERDURE_ARGUMENT', () => db.undo(99))).message).to.match(/transaction 99\b/)
    expect((await newest()).tid).to.equal(2)
  })
})

function loneRecord(oid: number) {
  return { oid, data: encodeRecord('Account', [], new Uint8Array()) }
}

import { Account, AccountIds } from '../../dist/bench/accounts.js'
import { BTree, oidOf, open, PersistentList } from '../../dist/src/index.js'
import { accountFields, shuffledIds } from '../records.mjs'

/** Accounts a transaction, where garbage is made. */
const GARBAGE_BATCH = 10_000

export const SYNCED = {
  fsync: 'commit resolves after fdatasync (durability fsync); concurrent commits share one',
  os: 'not synced; written to the operating system (durability os)',
}

/**
 * @param durability `fsync` or `os`
 * @param index `paged` or `memory`
 */
export async function openStore(path, { durability = 'fsync', index = 'paged' } = {}) {
  return new PerdureStore(await open(path, { classes: [Account, AccountIds], durability, index }))
}

export class PerdureStore {
  #db

  constructor(db) {
    this.#db = db
  }

  /**
   * Stores a list of `count` accounts, each referring to the next one.
   *
   * @param batch accounts a transaction; one transaction unless given
   */
  async create(count, batch = count) {
    const connection = await this.#db.connect()
    let next
    for (let i = count - 1; i >= 0; i--) {
      next = Object.assign(new Account(), accountFields(i), { next })
      if (i % batch === 0) {
        connection.root.set('first', next)
        await connection.commit()
      }
    }
    await connection.close()
  }

  /** Stores a BTree of `count` accounts, which do not refer to each other. */
  async plant(count) {
    await this.#db.transact((root) => {
      const tree = new BTree()
      for (let i = 0; i < count; i++) tree.set(i, Object.assign(new Account(), accountFields(i)))
      root.set('tree', tree)
    })
  }

  /**
   * Stores `count` accounts, then makes a list of half of them, chosen and ordered at random, and lets go of the others.
   * So each account that is kept has a superseded version as well.
   */
  async createWithGarbage(count) {
    const connection = await this.#db.connect()
    const oids = []
    for (let from = 0; from < count; from += GARBAGE_BATCH) {
      const size = Math.min(GARBAGE_BATCH, count - from)
      const batch = Array.from({ length: size }, (_, i) => Object.assign(new Account(), accountFields(from + i)))
      connection.root.set(`batch ${from}`, new PersistentList(batch))
      await connection.commit()
      for (const account of batch) oids.push(oidOf(account))
    }
    const kept = shuffledIds(count).slice(0, Math.ceil(count / 2))
    let next
    for (let i = 0; i < kept.length; i++) {
      const account = connection.get(oids[kept[i]])
      account.next = next
      next = account
      if ((i + 1) % GARBAGE_BATCH !== 0 && i + 1 < kept.length) continue
      connection.root.set('first', next)
      await connection.commit()
    }
    for (let from = 0; from < count; from += GARBAGE_BATCH) connection.root.delete(`batch ${from}`)
    const some = kept.slice(-100).map((id) => oids[id])
    connection.root.set('ids', Object.assign(new AccountIds(), { oids: Float64Array.from(some) }))
    await connection.commit()
    await connection.close()
  }

  pack() {
    return this.#db.pack()
  }

  /** Keeps the oids of all accounts, for what reads by id. Apart from `create`, since the others choose their ids. */
  async keepIds() {
    await this.#db.transact((root) => {
      const oids = []
      for (let account = root.get('first'); account !== undefined; account = account.next) oids.push(oidOf(account))
      root.set('ids', Object.assign(new AccountIds(), { oids: Float64Array.from(oids) }))
    })
  }

  /** Follows the references through all accounts on a new connection, and adds up the balances. */
  async sumByReference() {
    const connection = await this.#db.connect()
    let total = 0
    for (let account = connection.root.get('first'); account !== undefined; account = account.next)
      total += account.balance
    await connection.close()
    return total
  }

  /** Crawls over everything on a new connection, and adds up the balances of the accounts. */
  async sumByCrawl() {
    const connection = await this.#db.connect()
    let total = 0
    for await (const object of connection.crawl()) if (object instanceof Account) total += object.balance
    await connection.close()
    return total
  }

  /** A function that adds up the balances of the accounts with these ids, on a new connection. */
  async sumById(ids) {
    const connection = await this.#db.connect()
    const oids = connection.root.get('ids').oids
    const wanted = ids.map((id) => oids[id])
    return () => {
      let total = 0
      for (const oid of wanted) total += connection.get(oid).balance
      return total
    }
  }

  /** A function that reads the accounts with these oids, on a new connection. */
  async reader() {
    const connection = await this.#db.connect()
    return (oids) => {
      for (const oid of oids) touch(connection.get(oid))
    }
  }

  /** `count` accounts, loaded, in an array. */
  async load(count) {
    const connection = await this.#db.connect({ cacheSize: count + 100 })
    const oids = connection.root.get('ids').oids
    return { connection, accounts: Array.from(oids, (oid) => touch(connection.get(oid))) }
  }

  /** Functions that each change another account and commit, on a connection of its own, which is opened here. */
  async committers(count) {
    const committers = []
    for (let i = 0; i < count; i++) {
      const connection = await this.#db.connect()
      const account = connection.get(connection.root.get('ids').oids[i])
      // The first change ends the transaction that read the root: it is not to be validated each time.
      account.balance++
      await connection.commit()
      committers.push(() => {
        account.balance++
        return connection.commit()
      })
    }
    return committers
  }

  async close() {
    await this.#db.close()
  }
}

function touch(account) {
  if (!(account.balance >= 0)) throw new Error(`An account has the balance ${account.balance}.`)
  return account
}

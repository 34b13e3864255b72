import { open } from 'lmdb'
import { accountFields } from '../records.mjs'

export const SYNCED = {
  fsync: 'waits for lmdb-js to report the write as flushed',
  os: 'noSync: written to the memory map',
}

export async function openStore(path, { durability = 'fsync' } = {}) {
  return new LmdbStore(open({ path, encoding: 'msgpack', noSync: durability === 'os' }), durability)
}

class LmdbStore {
  #db
  #durability

  constructor(db, durability) {
    this.#db = db
    this.#durability = durability
  }

  async create(count) {
    const db = this.#db
    db.transactionSync(() => {
      for (let i = 0; i < count; i++) db.put(i, { ...accountFields(i), next: i + 1 < count ? i + 1 : undefined })
    })
    await db.flushed
  }

  async keepIds() {}

  async sumByReference() {
    let total = 0
    for (let id = 0; id !== undefined; ) {
      const account = this.#db.get(id)
      total += account.balance
      id = account.next
    }
    return total
  }

  async sumById(ids) {
    return () => {
      let total = 0
      for (const id of ids) total += this.#db.get(id).balance
      return total
    }
  }

  async load(count) {
    return { accounts: Array.from({ length: count }, (_, id) => this.#db.get(id)) }
  }

  async committers(count) {
    const db = this.#db
    return Array.from({ length: count }, (_, id) => {
      const account = db.get(id)
      return async () => {
        account.balance++
        await db.put(id, account)
        if (this.#durability === 'fsync') await db.flushed
      }
    })
  }

  async close() {
    await this.#db.close()
  }
}

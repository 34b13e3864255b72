import Database from 'better-sqlite3'
import { pack, unpack } from 'msgpackr'
import { accountFields } from '../records.mjs'

export const SYNCED = {
  fsync: 'WAL, synchronous=FULL: the log is synced at each commit',
  os: 'WAL, synchronous=NORMAL: synced at checkpoints only',
}

export async function openStore(path, { durability = 'fsync' } = {}) {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${durability === 'fsync' ? 'FULL' : 'NORMAL'}`)
  db.exec('CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, value BLOB NOT NULL)')
  return new SqliteStore(db)
}

class SqliteStore {
  #db
  #put
  #get

  constructor(db) {
    this.#db = db
    this.#put = db.prepare('INSERT OR REPLACE INTO account (id, value) VALUES (?, ?)')
    this.#get = db.prepare('SELECT value FROM account WHERE id = ?').pluck()
  }

  async create(count) {
    this.#db.transaction(() => {
      for (let i = 0; i < count; i++) {
        this.#put.run(i, pack({ ...accountFields(i), next: i + 1 < count ? i + 1 : undefined }))
      }
    })()
  }

  async keepIds() {}

  async sumByReference() {
    let total = 0
    for (let id = 0; id !== undefined; ) {
      const account = unpack(this.#get.get(id))
      total += account.balance
      id = account.next
    }
    return total
  }

  async sumById(ids) {
    return () => {
      let total = 0
      for (const id of ids) total += unpack(this.#get.get(id)).balance
      return total
    }
  }

  async committers(count) {
    return Array.from({ length: count }, (_, id) => {
      const account = unpack(this.#get.get(id))
      return async () => {
        account.balance++
        this.#put.run(id, pack(account))
      }
    })
  }

  async close() {
    this.#db.close()
  }
}

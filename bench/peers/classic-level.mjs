import { ClassicLevel } from 'classic-level'
import { pack, unpack } from 'msgpackr'
import { accountFields } from '../records.mjs'

export const SYNCED = {
  fsync: 'sync: true: the log is synced before the write resolves; concurrent writes share one',
  os: 'sync: false: written to the operating system',
}

export async function openStore(path, { durability = 'fsync' } = {}) {
  const db = new ClassicLevel(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.open()
  return new LevelStore(db, { sync: durability === 'fsync' })
}

class LevelStore {
  #db
  #writeOptions

  constructor(db, writeOptions) {
    this.#db = db
    this.#writeOptions = writeOptions
  }

  async create(count) {
    const operations = Array.from({ length: count }, (_, i) => ({
      type: 'put',
      key: keyOf(i),
      value: pack({ ...accountFields(i), next: i + 1 < count ? i + 1 : undefined }),
    }))
    await this.#db.batch(operations, this.#writeOptions)
  }

  async keepIds() {}

  async sumByReference() {
    let total = 0
    for (let id = 0; id !== undefined; ) {
      const account = unpack(this.#db.getSync(keyOf(id)))
      total += account.balance
      id = account.next
    }
    return total
  }

  async sumById(ids) {
    return () => {
      let total = 0
      for (const id of ids) total += unpack(this.#db.getSync(keyOf(id))).balance
      return total
    }
  }

  async committers(count) {
    return Array.from({ length: count }, (_, id) => {
      const key = keyOf(id)
      const account = unpack(this.#db.getSync(key))
      return () => {
        account.balance++
        return this.#db.put(key, pack(account), this.#writeOptions)
      }
    })
  }

  async close() {
    await this.#db.close()
  }
}

function keyOf(id) {
  const key = Buffer.allocUnsafe(4)
  key.writeUInt32BE(id)
  return key
}

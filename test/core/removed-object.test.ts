import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import type { ConflictError } from '../../src/core/errors.js'
import { oidOf, Persistent } from '../../src/core/persistent.js'
import type { Storage } from '../../src/core/storage.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Item extends Persistent {
  text = ''
  next: Item | undefined
}

function item(text: string): Item {
  return Object.assign(new Item(), { text })
}

const STORAGES = {
  MemoryStorage: async () => new MemoryStorage(),
  FileStorage: () => FileStorage.open(undefined, { durability: 'os' }),
} as const

for (const [name, openStorage] of Object.entries(STORAGES)) declareTests(name, openStorage)

function declareTests(name: string, openStorage: () => Promise<Storage>): void {
  describe(`An object that was packed away from a ${name} while a program holds it`, () => {
    let db: Database<Root>

    beforeEach(async () => {
      db = await memoryDatabase([Item], {}, await openStorage())
    })

    afterEach(() => db.close())

    /** A connection, and an object of it that has just been packed away. */
    async function removed() {
      const connection = await db.connect()
      const { root } = connection
      const lost = item('lost')
      root['lost'] = lost
      await connection.commit()
      root['lost'] = undefined
      await connection.commit()
      await db.pack()
      return { connection, root, lost }
    }

    it('cannot be linked again, touched or not, and the error names it', async () => {
      const { connection, root, lost } = await removed()
      root['found'] = lost
      const refused = await failure('PERDURE_OBJECT_MISSING', () => connection.commit())
      expect(refused.details).to.include({ referrer: 0 })
      expect(connection.get(refused.details.oid as number), 'its ghost').to.equal(lost)
      connection.abort()
      const touched = await failure('PERDURE_OBJECT_MISSING', () => lost.text)
      expect(touched.details).to.deep.equal({ oid: refused.details.oid, className: 'Item' })
      expect(root['found']).to.equal(undefined)
      await connection.close()
    })

    it('cannot come back by way of a new object', async () => {
      const { connection, root, lost } = await removed()
      const parent = item('parent')
      parent.next = lost
      root['parent'] = parent
      await failure('PERDURE_OBJECT_MISSING', () => connection.commit())
      connection.abort()
      parent.next = undefined
      root['parent'] = parent
      await connection.commit()
      expect(await db.view((again) => (again['parent'] as Item).text)).to.equal('parent')
      await connection.close()
    })

    it('can be linked by a transaction that began before the pack if it is kept, and is a conflict if not', async () => {
      await db.transact((root) => {
        root['lost'] = item('lost')
        root['box'] = item('box')
      })
      const late = await db.connect({ isolation: 'snapshot' })
      const lost = late.root['lost'] as Item
      const box = late.root['box'] as Item
      await db.transact((root) => {
        root['lost'] = undefined
      })
      await db.pack()
      expect(lost.text, 'seen by the snapshot').to.equal('lost')
      box.next = lost
      if (name === 'MemoryStorage') {
        await late.commit()
        await db.pack()
        expect(await db.view((root) => (root['box'] as Item).next?.text)).to.equal('lost')
      } else {
        const { conflicts } = (await failure('PERDURE_CONFLICT', () => late.commit())) as ConflictError
        expect(conflicts.map(({ oid }) => oid)).to.deep.equal([oidOf(lost)])
        late.abort()
        await failure('PERDURE_OBJECT_MISSING', () => lost.text)
        expect(box.next).to.equal(undefined)
      }
      await late.close()
    })
  })
}

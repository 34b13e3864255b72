import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Item extends Persistent {
  text = ''
  next: Item | undefined
}

function item(text: string): Item {
  return Object.assign(new Item(), { text })
}

describe('An object that was packed away while a program holds it', () => {
  let db: Database<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Item])
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

  it('stays for a transaction that began before the pack, which may link it', async () => {
    await db.transact((root) => {
      root['lost'] = item('lost')
      root['box'] = item('box')
    })
    const late = await db.connect({ isolation: 'snapshot' })
    const lost = late.root['lost'] as Item
    await db.transact((root) => {
      root['lost'] = undefined
    })
    await db.pack()
    const box = late.root['box'] as Item
    box.next = lost
    await late.commit()
    await db.pack()
    expect(await db.view((root) => (root['box'] as Item).next?.text)).to.equal('lost')
    await late.close()
  })
})

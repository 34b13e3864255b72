import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'

class Item extends Persistent {
  name = ''
  tags: string[] = []
}

class Group extends Persistent {
  items: Item[] = []
}

const GROUPS = 500
const ITEMS = 1000

/** Heap in use, in bytes, when all that can be collected has been. WeakRefs let go only after the current job. */
async function heapUsed(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await nextTurn()
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}

describe('memory of a connection', function () {
  this.timeout(120_000)
  let db: Database<Root>

  before(async () => {
    db = await memoryDatabase([Item, Group])
    await using connection = await db.connect()
    const groups: Group[] = []
    connection.root['groups'] = groups
    for (let g = 0; g < GROUPS; g++) {
      const items = Array.from({ length: ITEMS }, (_, i) =>
        Object.assign(new Item(), { name: `item ${g}/${i}`, tags: ['x'] }),
      )
      ;(connection.root['groups'] as Group[]).push(Object.assign(new Group(), { items }))
      if (g % 50 === 49) await connection.commit()
    }
  })

  after(() => db.close())

  /** How far the heap has grown, at most, while every object was visited. */
  async function growth(cacheSize: number, groups = GROUPS): Promise<number> {
    await using connection = await db.connect({ cacheSize })
    const start = await heapUsed()
    let most = 0
    let visited = 0
    for (const group of (connection.root['groups'] as Group[]).slice(0, groups)) {
      for (const item of group.items) visited += item.tags.length
      await nextTurn()
      if (connection.statistics.loads % 50_000 < ITEMS) most = Math.max(most, (await heapUsed()) - start)
    }
    most = Math.max(most, (await heapUsed()) - start)
    expect(visited).to.equal(groups * ITEMS)
    expect(connection.statistics.cached).to.be.at.most(cacheSize)
    return most
  }

  it('stays bounded by cacheSize while 500,000 objects are visited', async () => {
    expect(globalThis.gc, 'this test needs node --expose-gc').to.be.a('function')
    const bounded = await growth(10_000)
    const fifth = await growth(1_000_000, GROUPS / 5)
    expect(fifth, 'a fifth of the objects, all in memory').to.be.greaterThan(40e6)
    expect(bounded).to.be.lessThan(fifth)
  })
})

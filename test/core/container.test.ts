import { inspect } from 'node:util'
import { expect } from 'chai'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { oidOf, Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Box extends Persistent {
  list: unknown[] = []
  object: Record<string, unknown> = {}
  map = new Map<unknown, unknown>()
  set = new Set<unknown>()
}

describe('containers inside a state', () => {
  let db: Database<Root>
  let connection: Connection<Root>
  let box: Box

  beforeEach(async () => {
    db = await memoryDatabase([Box])
    connection = await db.connect()
    connection.root['box'] = new Box()
    connection.root['other'] = new Box()
    await connection.commit()
    box = connection.root['box'] as Box
  })

  afterEach(() => db.close())

  async function reloaded(name = 'box'): Promise<Box> {
    return (await db.connect()).root[name] as Box
  }

  const changes: Record<string, [change: (box: Box) => unknown, look: (box: Box) => unknown, expected: unknown]> = {
    'array push': [(b) => b.list.push(1, 2), (b) => [...b.list], [1, 2]],
    'array index': [
      (b) => {
        b.list[2] = 'x'
      },
      (b) => [b.list.length, b.list[2], 1 in b.list],
      [3, 'x', false],
    ],
    'array length': [
      (b) => {
        b.list.push(1, 2, 3)
        b.list.length = 1
      },
      (b) => [...b.list],
      [1],
    ],
    'array splice and sort': [
      (b) => {
        b.list.push(3, 1, 2)
        b.list.splice(1, 1)
        b.list.sort()
      },
      (b) => [...b.list],
      [2, 3],
    ],
    'object property': [
      (b) => {
        b.object['a'] = { deep: [1] }
        ;(b.object['a'] as { deep: number[] }).deep.push(2)
      },
      (b) => structuredClone(JSON.parse(JSON.stringify(b.object))),
      { a: { deep: [1, 2] } },
    ],
    'object delete': [
      (b) => {
        b.object['a'] = 1
        delete b.object['a']
        b.object['b'] = 2
      },
      (b) => Object.keys(b.object),
      ['b'],
    ],
    'map set, delete': [
      (b) => b.map.set('a', [1]).set('b', 2).delete('b'),
      (b) => [...b.map].map(([k, v]) => [k, [...(v as [])]]),
      [['a', [1]]],
    ],
    'map clear': [
      (b) => {
        b.map.set('a', 1)
        b.map.clear()
        b.map.set('z', 1)
      },
      (b) => [...b.map.keys()],
      ['z'],
    ],
    'nested map': [
      (b) => {
        b.map.set('inner', new Map())
        ;(b.map.get('inner') as Map<string, number>).set('x', 1)
      },
      (b) => (b.map.get('inner') as Map<string, number>).get('x'),
      1,
    ],
    'set add, delete': [(b) => b.set.add(1).add(2).delete(1), (b) => [...b.set], [2]],
  }

  for (const [name, [change, look, expected]] of Object.entries(changes)) {
    it(`notices ${name}`, async () => {
      change(box)
      expect(look(box)).to.deep.equal(expected)
      await connection.commit()
      expect(look(box)).to.deep.equal(expected)
      expect(look(await reloaded())).to.deep.equal(expected)
    })
  }

  it('notices a change inside a container that was there before', async () => {
    box.object['inner'] = { list: [1] }
    await connection.commit()
    const again = await reloaded()
    ;(again.object['inner'] as { list: number[] }).list.push(2)
    await db.transact((root) => {
      ;((root['box'] as Box).object['inner'] as { list: number[] }).list.push(3)
    })
    const last = await reloaded()
    expect((last.object['inner'] as { list: number[] }).list).to.deep.equal([1, 3])
  })

  it('gives the same container each time', () => {
    box.list.push({ a: 1 })
    expect(box.list).to.equal(box.list)
    expect(box.list[0]).to.equal(box.list[0])
    expect(box.list.indexOf(box.list[0])).to.equal(0)
    expect(Array.isArray(box.list)).to.equal(true)
    expect(box.map).to.be.instanceOf(Map)
    expect(box.map.size).to.equal(0)
    expect(box.set).to.be.instanceOf(Set)
  })

  it('reads and iterates Maps and Sets as usual', () => {
    box.map.set('a', 1).set('b', 2)
    const seen: unknown[] = []
    box.map.forEach((value, key, map) => {
      seen.push([key, value, map === box.map])
    })
    expect(seen).to.deep.equal([
      ['a', 1, true],
      ['b', 2, true],
    ])
    expect(new Map(box.map)).to.deep.equal(new Map(Object.entries({ a: 1, b: 2 })))
    expect([...box.map.entries()]).to.deep.equal([...box.map])
    expect([...box.map.values()]).to.deep.equal([1, 2])
    expect(box.map.has('a')).to.equal(true)
    box.set.add('x')
    expect([...box.set.entries()]).to.deep.equal([['x', 'x']])
    expect([...box.set.values()]).to.deep.equal(['x'])
    const members: unknown[] = []
    box.set.forEach((value, again, set) => {
      members.push(value, again, set === box.set)
    })
    expect(members).to.deep.equal(['x', 'x', true])
    expect(Object.prototype.toString.call(box.map)).to.equal('[object Map]')
    expect(box.map.delete('nothing')).to.equal(false)
  })

  it('does not take reading, or removing nothing, for a change', async () => {
    box.map.set('a', 1)
    await connection.commit()
    box.map.delete('b')
    box.set.clear()
    void [...box.map, ...box.list]
    expect(connection.statistics.changed).to.equal(0)
  })

  it('holds persistent objects, also as keys', async () => {
    const other = connection.root['other'] as Box
    box.list.push(other)
    box.map.set(other, 'value')
    box.set.add(other)
    await connection.commit()
    const again = await reloaded()
    const found = again.list[0] as Box
    expect(found).to.be.instanceOf(Box)
    expect(again.map.get(found)).to.equal('value')
    expect(again.set.has(found)).to.equal(true)
    expect([...again.map.keys()]).to.deep.equal([found])
    expect(again.list.includes(found)).to.equal(true)
  })

  it('shows persistent objects in console.log, and names those that were never met', async () => {
    const other = connection.root['other'] as Box
    box.list.push(other)
    box.map.set(other, other)
    await connection.commit()
    const again = await reloaded()
    const found = again.list
    expect(inspect(found)).to.equal(`[ Box(${oidOf(other)}) ]`)
    void found[0]
    expect(inspect(found)).to.equal('[ Box { list: [], object: {}, map: Map(0) {}, set: Set(0) {} } ]')
    expect(inspect(again.map, { depth: 0 })).to.equal('Map(1) { [Box] => [Box] }')
  })

  it('finds new objects inside containers that were made before they were put in', async () => {
    const inner = Object.assign(new Box(), { list: ['new'] })
    const list = [inner, [inner, box.list]]
    box.object['nested'] = list
    list.push(Object.assign(new Box(), { list: ['late'] }))
    await connection.commit()
    const again = (await reloaded()).object['nested'] as [Box, [Box, unknown[]], Box]
    expect([...again[0].list]).to.deep.equal(['new'])
    expect(again[1][0]).to.equal(again[0])
    expect([...again[2].list]).to.deep.equal(['late'])
    expect(list[0], 'the array of the user is left alone').to.equal(inner)
  })

  it('marks both objects when they share a container, which are two after loading', async () => {
    const shared = ['x']
    const other = connection.root['other'] as Box
    box.list = shared
    other.list = box.list
    await connection.commit()
    expect(box.list).to.equal(other.list)
    box.list.push('y')
    await connection.commit()
    expect([...(await reloaded('box')).list]).to.deep.equal(['x', 'y'])
    expect([...(await reloaded('other')).list]).to.deep.equal(['x', 'y'])
  })

  it('notices changes in a container after it was moved to another object', async () => {
    const other = connection.root['other'] as Box
    const { list } = box
    other.list = list
    box.list = []
    await connection.commit()
    list.push('moved')
    await connection.commit()
    expect([...other.list]).to.deep.equal(['moved'])
    expect([...(await reloaded('other')).list]).to.deep.equal(['moved'])
    expect([...(await reloaded('box')).list]).to.deep.equal([])
  })

  it('marks both objects when they share a container, even if one was evicted', async () => {
    const other = connection.root['other'] as Box
    other.list = box.list
    await connection.commit()
    connection.cacheSize = 1
    expect(other.list).to.equal(box.list)
    const { list } = other
    list.push('y')
    await connection.commit()
    expect([...(await reloaded('box')).list]).to.deep.equal(['y'])
    expect([...(await reloaded('other')).list]).to.deep.equal(['y'])
  })

  it('are copied when they are put into an object of another connection', async () => {
    const second = await db.connect()
    const other = second.root['other'] as Box
    box.list.push([1])
    await connection.commit()
    other.list = box.list
    await second.commit()
    ;(box.list[0] as number[]).push(2)
    expect(other.list).to.deep.equal([[1]])
    expect(second.statistics.changed).to.equal(0)
  })

  it('are refused if they hold objects of another connection, met or not', async () => {
    box.list.push(connection.root['other'])
    await connection.commit()
    const [second, third] = [await db.connect(), await db.connect()]
    third.root['list'] = (second.root['box'] as Box).list
    const error = await failure('PERDURE_FOREIGN_OBJECT', () => third.commit())
    expect(error.message).to.include('root.list[0]')
  })

  it('cannot be put anywhere once their state has been replaced', async () => {
    const { list, map } = box
    await db.transact((root) => {
      ;(root['box'] as Box).list.push('theirs')
    })
    connection.abort()
    await failure('PERDURE_STALE', () => {
      ;(connection.root['other'] as Box).list = list
    })
    box.list = [map]
    await failure('PERDURE_STALE', () => connection.commit())
  })

  it('cannot be reached by an iteration that began before their state was replaced', async () => {
    box.map.set('a', [1]).set('b', [2])
    box.set.add(1).add(2)
    await connection.commit()
    const iterators = [box.map.entries(), box.map.values(), box.map.keys(), box.set.values()]
    for (const iterator of iterators) iterator.next()
    box.object['x'] = 1
    connection.abort()
    for (const iterator of iterators) await failure('PERDURE_STALE', () => iterator.next())
  })

  it('find persistent objects as keys in Maps and Sets that the user made', async () => {
    const other = connection.root['other'] as Box
    const [map, set] = [new Map([[other, 1]]), new Set([other])]
    Object.assign(box, { map, set })
    expect([box.map.has(other), box.map.get(other), box.set.has(other)]).to.deep.equal([true, 1, true])
    box.map.set(other, 2)
    box.set.add(other)
    expect([box.map.size, box.set.size, map.get(other)]).to.deep.equal([1, 1, 2])
    expect([box.map.delete(other), box.set.delete(other), map.size, set.size]).to.deep.equal([true, true, 0, 0])
    map.set(other, 3)
    await connection.commit()
    expect([...(await reloaded()).map.values()]).to.deep.equal([3])
  })

  it('have the methods of newer Maps that change them', async () => {
    interface NewMap {
      getOrInsert(key: string, value: unknown): unknown
      getOrInsertComputed(key: string, compute: (key: string) => unknown): unknown
    }
    const map = box.map as unknown as NewMap
    expect(map.getOrInsert('a', 1)).to.equal(1)
    expect(map.getOrInsert('a', 2)).to.equal(1)
    expect(map.getOrInsertComputed('b', (key) => key + key)).to.equal('bb')
    await connection.commit()
    expect([...(await reloaded()).map]).to.deep.equal([
      ['a', 1],
      ['b', 'bb'],
    ])
  })

  it('stores cycles and sharing inside one state', async () => {
    const shared = { name: 'shared' }
    const cyclic: Record<string, unknown> = { a: shared, b: shared }
    cyclic['self'] = cyclic
    box.object['cyclic'] = cyclic
    await connection.commit()
    const again = (await reloaded()).object['cyclic'] as Record<string, unknown>
    expect(again['self']).to.equal(again)
    expect(again['a']).to.equal(again['b'])
  })

  it('shows frozen containers and refuses to change them, as they would', () => {
    box.list = Object.freeze([[1], { a: 1 }]) as unknown as unknown[]
    expect(box.list[0]).to.deep.equal([1])
    expect(() => box.list.push(2)).to.throw(TypeError)
    expect(box.list.length).to.equal(2)
  })

  it('refuses a container of a state that abort has dropped', async () => {
    box.list.push(1)
    const { list, map, set, object } = box
    connection.abort()
    for (const use of [
      () => list.push(2),
      () => list[0],
      () => map.size,
      () => set.has(1),
      () => Object.keys(object),
    ]) {
      expect((await failure('PERDURE_STALE', use)).message).to.include('Box')
    }
    expect(box.list.length).to.equal(0)
  })

  it('refuses a container of a state that another connection has replaced', async () => {
    const list = box.list
    await db.transact((root) => {
      ;(root['box'] as Box).list.push('theirs')
    })
    expect(list.length, 'the snapshot has not ended').to.equal(0)
    connection.abort()
    await failure('PERDURE_STALE', () => list.length)
    expect([...box.list]).to.deep.equal(['theirs'])
  })

  it('loses nothing when the object is evicted while a container of it is in use', async () => {
    const small = await db.connect({ cacheSize: 1 })
    const mine = small.root['box'] as Box
    const list = mine.list
    for (const name of ['other', 'box', 'other']) void (small.root[name] as Box).set
    void (small.root['other'] as Box).set.size
    list.push('kept')
    expect(list).to.equal(mine.list)
    await small.commit()
    expect([...(await reloaded()).list]).to.deep.equal(['kept'])
    await small.close()
  })
})

import { inspect } from 'node:util'
import { expect } from 'chai'
import { BTree } from '../../src/collections/btree.js'
import type { BTreeKey } from '../../src/collections/btree-key.js'
import { collectionClasses } from '../../src/collections/collection-classes.js'
import { checkStructure } from '../support/btree-structure.js'
import { failure } from '../support/errors.js'
import { Session } from '../support/session.js'
import { Thing } from '../support/thing.js'

const classes = [...collectionClasses, Thing]

function numbers(count: number): number[] {
  return [...Array(count).keys()]
}

function filled(count: number, nodeSize?: number): BTree<number, number> {
  const entries = numbers(count).map((n) => [n, n] as const)
  return new BTree(entries, nodeSize === undefined ? {} : { nodeSize })
}

describe('BTree', () => {
  it('refuses what has no place in the order, and says what it was', async () => {
    const tree = new BTree<BTreeKey, number>()
    const cyclic: BTreeKey[] = []
    cyclic.push(cyclic)
    const bad: [unknown, string][] = [
      [Number.NaN, 'NaN'],
      [new Date(Number.NaN), 'Invalid Date'],
      [undefined, 'undefined'],
      [null, 'null'],
      [{ a: 1 }, '{ a: 1 }'],
      [true, 'true'],
      [Symbol('s'), 'Symbol(s)'],
      [['a', Number.NaN], "[ 'a', NaN ]"],
      [new Array(1), 'empty item'],
      [cyclic, 'Circular'],
    ]
    for (const [key, shown] of bad) {
      for (const method of ['get', 'has', 'set', 'delete'] as const) {
        const { message } = await failure('PERDURE_ARGUMENT', () => tree[method](key as BTreeKey, 1))
        expect(message).to.contain(shown)
      }
      if (key === undefined) continue
      await failure('PERDURE_ARGUMENT', () => [...tree.entries({ from: key as BTreeKey })])
      await failure('PERDURE_ARGUMENT', () => [...tree.keys({ to: key as BTreeKey })])
    }
    expect(tree.size).to.equal(0)
    for (const nodeSize of [2, 3.5, Number.NaN]) await failure('PERDURE_ARGUMENT', () => new BTree(null, { nodeSize }))
  })

  it('keeps keys apart from the objects they were given as', () => {
    const date = new Date(5)
    const tuple: (string | number)[] = ['a', 1]
    const tree = new BTree<BTreeKey, string>([
      [date, 'date'],
      [tuple, 'tuple'],
    ])
    date.setTime(6)
    tuple.push(2)
    ;(tree.firstKey() as Date).setTime(7)
    ;(tree.lastKey() as unknown[]).push(3)
    expect(tree.get(new Date(5))).to.equal('date')
    expect([...tree.keys()]).to.deep.equal([new Date(5), ['a', 1]])
  })

  it('has one entry for numbers and bigints of the same value, and for 0 and -0', () => {
    const tree = new BTree<number | bigint, string>([
      [1, 'one'],
      [-0, 'zero'],
      [2n ** 70n, 'large'],
    ])
    tree.set(1n, 'other')
    expect(tree.get(1)).to.equal('other')
    expect(Object.is(tree.firstKey(), 0)).to.equal(true)
    expect(tree.get(2 ** 70)).to.equal('large')
    expect(tree.size).to.equal(3)
  })

  it('fills nodes when entries come in ascending or descending order', () => {
    for (const order of [numbers(5000), numbers(5000).reverse()]) {
      const tree = new BTree(order.map((n) => [n, n]))
      const { leaves, inner } = checkStructure(tree, 64)
      expect(leaves).to.equal(Math.ceil(5000 / 64))
      expect(inner).to.equal(3)
    }
  })

  it('touches few records with each change', async () => {
    const session = await Session.start(() => filled(3000, 8), classes)
    session.connection.abort()
    session.root.set(1234.5, 1)
    expect(session.connection.statistics.changed).to.be.at.most(8)
    await session.take('reload')
    expect(session.root.get(1234.5)).to.equal(1)
    expect(session.connection.statistics.loads).to.be.at.most(8)
    expect(session.root.size).to.equal(3001)
    await session.close()
  })

  it('takes setting the same primitive, and deleting nothing, for no change', async () => {
    const session = await Session.start(() => filled(100, 8), classes)
    session.root.set(50, 50)
    session.root.delete(50.5)
    expect(session.connection.statistics.changed).to.equal(0)
    session.root.set(50, -0)
    session.root.set(50, 0)
    expect(session.connection.statistics.changed).to.equal(1)
    await session.close()
  })

  it('loses no change made to a value after its entry has moved to another node', async () => {
    const createRoot = () => new BTree<number, { list: number[]; thing: Thing }>(null, { nodeSize: 4 })
    const session = await Session.start(createRoot, classes, { cacheSize: 2 })
    for (let n = 0; n < 40; n += 10) session.root.set(n, { list: [n], thing: new Thing(`${n}`) })
    await session.take('reload')
    const held = new Map([...session.root].map(([n, { list }]) => [n, list]))
    for (const n of numbers(40)) if (n % 10 > 0) session.root.set(n, { list: [], thing: new Thing('') })
    await session.take('commit')
    for (const list of held.values()) list.push(1)
    await session.take('commit')
    for (const n of numbers(40)) if (n % 10 > 0) session.root.delete(n)
    await session.take('commit')
    for (const list of held.values()) list.push(2)
    await session.take('reload')
    for (const [n, { list, thing }] of session.root) {
      expect(list).to.deep.equal([n, 1, 2])
      expect(thing.name).to.equal(`${n}`)
    }
    await session.close()
  })

  it('lets transactions add entries far apart at the same time', async () => {
    const session = await Session.start(() => filled(1000, 8), classes)
    let conflicts = 0
    for (let round = 0; round < 40; round++) {
      const other = await session.database.connect()
      session.root.set(round + 0.5, 0)
      other.root.set(900 - round + 0.5, 0)
      await session.take('commit')
      try {
        await other.commit()
      } catch {
        conflicts++
      }
      await other.close()
    }
    // One in 16 meets in a counter, and a few nodes close to the root are split: half is far off.
    expect(conflicts).to.be.below(20)
    expect(session.root.size).to.equal(1080 - conflicts)
    checkStructure(session.root, 8)
    await session.close()
  })

  it('never loses entries when conflicts are only looked for among writes', async () => {
    const session = await Session.start(() => filled(200, 4), classes, { isolation: 'snapshot' })
    let random = 7
    const next = (below: number) => {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0
      return (random >>> 8) % below
    }
    const expected = new Set(numbers(200))
    for (let round = 0; round < 150; round++) {
      const mine = await session.database.connect()
      const theirs = await session.database.connect()
      const changes = [mine, theirs].map((connection) => {
        const key = next(200)
        const remove = next(3) > 0
        if (remove) connection.root.delete(key)
        else connection.root.set(key, key)
        return { connection, key, remove }
      })
      for (const { connection, key, remove } of changes) {
        try {
          await connection.commit()
          if (remove) expected.delete(key)
          else expected.add(key)
        } catch {
          connection.abort()
        }
        await connection.close()
      }
      session.connection.abort()
      expect([...session.root.keys()]).to.deep.equal([...expected].sort((a, b) => a - b))
      checkStructure(session.root, 4)
    }
    await session.close()
  })

  it('goes on behind the last key when the tree changes during an iteration', async () => {
    const session = await Session.start(() => filled(60, 4), classes, { cacheSize: 2 })
    const seen: number[] = []
    for (const [n] of session.root.entries()) {
      seen.push(n)
      if (n % 10 === 5) session.root.delete(n + 1)
      if (n % 10 === 7) session.root.set(n + 0.5, 0)
      if (n % 10 === 8) session.root.delete(n)
      if (n === 20) await session.take('commit')
      if (n === 30) for (let i = 0; i < 30; i++) session.root.delete(i)
      if (n === 40) session.connection.abort()
      if (n === 50) session.root.clear()
    }
    const expected = numbers(51)
      .filter((n) => n % 10 !== 6)
      .flatMap((n) => (n % 10 === 7 ? [n, n + 0.5] : [n]))
    expect(seen).to.deep.equal(expected)
    const backward: number[] = []
    session.connection.abort()
    for (const n of session.root.keys({ reverse: true, to: 20, from: 10 })) {
      backward.push(n)
      if (n === 19) session.root.delete(17.5)
    }
    expect(backward).to.deep.equal([19, 17, 15, 14, 13, 12, 11, 10])
    await session.close()
  })

  it('sees what other connections have committed when a transaction ends during an iteration', async () => {
    const session = await Session.start(() => filled(20, 4), classes)
    const seen: number[] = []
    for (const n of session.root.keys()) {
      seen.push(n)
      if (n !== 3) continue
      await session.database.transact((root) => {
        root.clear()
        root.set(2, 2).set(30, 30)
      })
      session.connection.abort()
    }
    expect(seen).to.deep.equal([0, 1, 2, 3, 30])
    await session.close()
  })

  it('takes new trees and new values apart again when they are not committed', async () => {
    const session = await Session.start(() => new BTree<string, BTree<number, number>>(), classes)
    session.root.set('inner', filled(500, 5))
    await session.take('reload')
    const inner = session.root.get('inner') as BTree<number, number>
    for (let n = 0; n < 500; n += 2) inner.delete(n)
    session.connection.abort()
    expect([...inner.keys()]).to.deep.equal(numbers(500))
    checkStructure(inner, 5)
    await session.close()
  })

  it('is shown as a Map, of which it loads no more than is shown', async () => {
    const session = await Session.start(() => filled(1000, 8), classes)
    await session.take('reload')
    const text = inspect(session.root, { maxArrayLength: 2 })
    expect(text).to.match(/^BTree\(1000\) \{ 0 => 0, 1 => 1,\s+\.\.\. 998 more items\s+\}$/)
    expect(session.connection.statistics.loads).to.be.below(30)
    expect(inspect(new BTree())).to.equal('BTree(0) {}')
    expect(JSON.stringify(filled(2))).to.equal('[[0,0],[1,1]]')
    expect(Object.prototype.toString.call(session.root)).to.equal('[object BTree]')
    const calls: unknown[] = []
    filled(1).forEach((...args) => {
      calls.push(...args.slice(0, 2))
    })
    expect(calls).to.deep.equal([0, 0])
    await session.close()
  })
})

import { inspect } from 'node:util'
import { expect } from 'chai'
import {
  BARE,
  holdState,
  readState,
  STAND_IN,
  shown,
  stored,
  valuesMoved,
  writeState,
} from '../../src/core/bare-state.js'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { HEADER, type Header } from '../../src/core/header.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'

interface BoxState {
  values: unknown[]
}

/** The smallest bare class: an array that gives out its values. */
class Box extends Persistent {
  static readonly [BARE] = true

  constructor(values: unknown[] = []) {
    super()
    writeState<BoxState>(this).values = values.map(stored)
  }

  at(index: number): unknown {
    return shown(this, readState<BoxState>(this).values[index])
  }
}

/** A bare class that users see through a Proxy, which says who the instance is and how many values it has. */
class Counted extends Box {
  static readonly [STAND_IN] = (header: Header): object =>
    new Proxy(Object.create(Counted.prototype), {
      get: (target, key, receiver) => {
        if (key === HEADER) return header
        return key === 'count' ? (header.read() as BoxState).values.length : Reflect.get(target, key, receiver)
      },
      ownKeys: () => ['count'],
      getOwnPropertyDescriptor: () => ({ value: 0, enumerable: true, configurable: true }),
    })
  declare readonly count: number
}

describe('a bare class', () => {
  let database: Database<Root>
  let connection: Connection<Root>

  beforeEach(async () => {
    database = await memoryDatabase([Box, Counted])
    connection = await database.connect({ cacheSize: 2 })
  })

  afterEach(async () => {
    await database.close()
  })

  async function reload(): Promise<Root> {
    await connection.commit()
    await connection.close()
    connection = await database.connect({ cacheSize: 2 })
    return connection.root
  }

  it('gets the same state back after eviction while it holds it', async () => {
    connection.root['box'] = new Box([1])
    connection.root['others'] = [new Box(), new Box(), new Box()]
    const root = await reload()
    const box = root['box'] as Box
    const state = holdState<BoxState>(box)
    for (const other of root['others'] as Box[]) other.at(0)
    expect(box[HEADER]?.state).to.equal(undefined)
    expect(box.at(0)).to.equal(1)
    expect(readState(box)).to.equal(state)
  })

  it('hands values over with the containers in them that somebody holds', async () => {
    connection.root['from'] = new Box([{ list: [1] }, new Set([[2]])])
    connection.root['to'] = new Box()
    let root = await reload()
    const [from, to] = [root['from'] as Box, root['to'] as Box]
    const { list } = from.at(0) as { list: number[] }
    const [inner] = from.at(1) as Set<number[]>
    const values = writeState<BoxState>(from).values.splice(0)
    writeState<BoxState>(to).values.push(...values)
    valuesMoved(from, to, values)
    await connection.commit()
    list.push(10)
    expect(connection.statistics.changed).to.equal(1)
    inner?.push(20)
    root = await reload()
    expect((root['to'] as Box).at(0)).to.deep.equal({ list: [1, 10] })
    expect([...((root['to'] as Box).at(1) as Set<unknown>)]).to.deep.equal([[2, 20]])
  })

  it('follows references that a new object has taken over', async () => {
    connection.root['from'] = new Box([[new Box(['inner'])]])
    const root = await reload()
    const from = root['from'] as Box
    const [fresh, fresher] = [new Box(), new Box()]
    const { values } = writeState<BoxState>(from)
    writeState<BoxState>(fresh).values = values
    valuesMoved(from, fresh, values)
    writeState<BoxState>(fresher).values = values
    valuesMoved(fresh, fresher, values)
    const [inner] = fresher.at(0) as Box[]
    expect(inner?.at(0)).to.equal('inner')
  })

  it('may be seen through a Proxy of its own, before and after loading', async () => {
    const made = new Counted([1, 2])
    expect(made.count).to.equal(2)
    connection.root['counted'] = made
    expect(connection.root['counted']).to.equal(made)
    const root = await reload()
    const loaded = root['counted'] as Counted
    expect(loaded).to.be.instanceOf(Counted)
    expect(loaded.count).to.equal(2)
    expect(loaded.at(1)).to.equal(2)
  })
})

describe('references and containers of one state', () => {
  let database: Database<Root>

  beforeEach(async () => {
    database = await memoryDatabase([Box], { cacheSize: 1 })
  })

  afterEach(async () => {
    await database.close()
  })

  it('finds an object as a key although it was followed as a value of the same record before', async () => {
    await database.transact((root) => {
      const box = new Box()
      Object.assign(root, { other: new Holder(box), value: box, keyed: new Map([[box, 'found']]) })
    })
    const connection = await database.connect()
    const box = (connection.root['other'] as Holder).box
    expect(connection.root['value']).to.equal(box)
    expect((connection.root['keyed'] as Map<unknown, string>).get(box)).to.equal('found')
  })

  it('tracks a container although following a reference has evicted its state', async () => {
    await database.transact((root) => {
      root['keyed'] = new Map([[new Box(), [1]]])
    })
    await database.transact((root) => {
      for (const [, list] of root['keyed'] as Map<Box, number[]>) list.push(2)
    })
    await database.view((root) => {
      expect([...(root['keyed'] as Map<Box, number[]>).values()]).to.deep.equal([[1, 2]])
    })
  })

  it('shows objects in a cycle, and those that lie deep', () => {
    const outer = new Holder(new Box())
    outer.box = outer
    expect(inspect(outer)).to.equal('Holder { box: [Circular] }')
    expect(inspect(new Holder(new Holder(new Holder(new Holder(1)))))).to.contain('[Holder]')
    expect(inspect(outer, { depth: null })).to.equal('Holder { box: [Circular] }')
  })
})

class Holder extends Persistent {
  box: unknown

  constructor(box: unknown) {
    super()
    this.box = box
  }
}

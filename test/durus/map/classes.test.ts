import { expect } from 'chai'
import { PersistentMap } from '../../../src/collections/persistent-map.js'
import { Persistent } from '../../../src/core/persistent.js'
import { Reference } from '../../../src/core/reference.js'
import type { State } from '../../../src/core/serializer.js'
import type { DurusMapping } from '../../../src/durus/map/class-map.js'
import { mapAll } from '../../support/all-mapped.js'
import { BNODE, DurusGraph, dataOf } from '../../support/durus-graph.js'
import { failure } from '../../support/errors.js'
import { durusReference, int, type PythonValue, pickleClass } from '../../support/pickle-writer.js'

const THING = pickleClass('app', 'Thing')

describe('Mapping of Durus classes', () => {
  class Account extends Persistent {}
  class Prices extends PersistentMap {}

  async function names(types: readonly PythonValue[], mapping: DurusMapping = {}): Promise<Record<string, string>> {
    const graph = new DurusGraph()
    graph.root(...types.map((type, i) => [int(i), graph.set(i + 1, type, { dict: [] })] as const))
    const { mapper } = await mapAll(graph, mapping)
    const classes = mapper.classes().filter(({ pythonName }) => !pythonName.startsWith('durus.'))
    return Object.fromEntries(classes.map(({ pythonName, className }) => [pythonName, className]))
  }

  it('keeps the bare name, unless two have it or it is one of a collection', async () => {
    expect(
      await names([THING, pickleClass('a.b', 'Account'), pickleClass('c', 'Account'), pickleClass('x', 'BTree')]),
    ).to.deep.equal({
      'app.Thing': 'Thing',
      'a.b.Account': 'a.b.Account',
      'c.Account': 'c.Account',
      'x.BTree': 'x.BTree',
    })
  })

  it('takes the names that it is given', async () => {
    const classes = { 'a.Account': Account, 'a.Old': 'New', 'a.Other': { class: 'Account' } }
    const types = ['Account', 'Old', 'Other', 'New'].map((name) => pickleClass('a', name))
    expect(await names(types, { classes })).to.deep.equal({
      'a.Account': 'Account',
      'a.Old': 'New',
      'a.Other': 'Account',
      'a.New': 'a.New',
    })
  })

  it('fills classes that extend collections', async () => {
    const graph = new DurusGraph()
    graph.root(['prices', graph.set(1, pickleClass('shop', 'Prices'), dataOf({ dict: [['tea', int(3)]] }))])
    const { objects } = await mapAll(graph, { classes: { 'shop.Prices': Prices } })
    expect(objects.get(1)).to.deep.include({ className: 'Prices', state: { items: new Map([['tea', 3]]) } })
  })

  it('lets a function of the user change the fields', async () => {
    const graph = new DurusGraph()
    const thing = graph.set(2, THING, { dict: [] })
    const account = {
      dict: [
        ['cents', int(150)],
        ['friend', thing],
      ] as (readonly [PythonValue, PythonValue])[],
    }
    graph.root(['account', graph.set(1, pickleClass('bank', 'Account'), account)])
    const convert = ({ cents, ...rest }: State, about: object) => ({ ...rest, euros: (cents as number) / 100, about })
    const { objects } = await mapAll(graph, { classes: { 'bank.Account': { class: Account, convert } } })
    expect(objects.get(1)?.state).to.deep.equal({
      friend: new Reference(2, 'Thing'),
      euros: 1.5,
      about: { oid: 1, pythonClass: 'bank.Account' },
    })
    expect(objects.get(1)?.references).to.deep.equal([new Reference(2, 'Thing')])
  })

  it('refuses what is no state, from a function of the user', async () => {
    for (const wrong of [undefined, null, 5, [], new Map(), new Account()]) {
      const classes = { 'app.Thing': { class: Account, convert: () => wrong as never } }
      expect((await failure('PERDURE_UNSTORABLE', () => names([THING], { classes }))).details.oid).to.equal(1)
    }
    const classes = { 'app.Thing': { class: Prices, convert: () => ({ items: [] }) } }
    await failure('PERDURE_UNSTORABLE', () => names([THING], { classes }))
  })

  it('refuses a mapping that is none', async () => {
    for (const wrong of [5, null, '', class {}, { class: 5 }, { class: 'A', convert: 5 }]) {
      await failure('PERDURE_ARGUMENT', () => names([THING], { classes: { 'app.Thing': wrong as never } }))
    }
    const convert = (state: State) => state
    await failure('PERDURE_ARGUMENT', () => names([THING], { classes: { 'app.Thing': { class: 'BTree', convert } } }))
    await failure('PERDURE_CLASS', () => names([pickleClass('m', 'x'.repeat(300))]))
  })

  it('keeps nodes of trees that are no part of a tree alone', async () => {
    const graph = new DurusGraph()
    graph.tree(
      1,
      Array.from({ length: 30 }, (_, i) => [int(i), null] as const),
    )
    const tree = durusReference(1, pickleClass('durus.btree', 'BTree'))
    graph.root(['tree', tree], ['node', durusReference(2, BNODE)])
    const { objects, changes } = await mapAll(graph)
    expect(objects.get(1)?.className).to.equal('BTree')
    expect(objects.get(2)?.className).to.equal('BNode16')
    expect(objects.get(2)?.state).to.include.keys('items', 'nodes')
    const nodes = [...objects.values()].filter(({ className }) => className === 'BNode16')
    expect(changes['tree-node']).to.equal(nodes.length)
    for (const { references } of nodes) for (const { oid } of references) expect(objects.has(oid)).to.equal(true)
  })
})

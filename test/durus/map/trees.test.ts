import { expect } from 'chai'
import fc from 'fast-check'
import { BTree } from '../../../src/collections/btree.js'
import { type BTreeKey, compareKeys } from '../../../src/collections/btree-key.js'
import { importMapped } from '../../../src/durus/import-mapped.js'
import { DurusMapper } from '../../../src/durus/map/map-source.js'
import { open } from '../../../src/open.js'
import { loadSerializer } from '../../../src/serializers/registry.js'
import { fileKind } from '../../../src/storages/file-kind.js'
import { allMapped } from '../../support/all-mapped.js'
import { checkStructure } from '../../support/btree-structure.js'
import { BNODE, BTREE, DurusGraph, PERSISTENT_DICT } from '../../support/durus-graph.js'
import { failure } from '../../support/errors.js'
import { durusReference, int, type PythonValue, pickleClass } from '../../support/pickle-writer.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

type Entry = readonly [key: PythonValue, value: PythonValue]

/** The entries of a tree as they are mapped, in order, and what was not mapped one to one. */
async function mapTree(entries: readonly Entry[], size = 5) {
  const graph = new DurusGraph()
  graph.root(['tree', graph.tree(1, entries, size)])
  const mapper = await DurusMapper.prepare(graph.source(), {}, {})
  const mapped: [BTreeKey, unknown][] = []
  for (const { state } of allMapped(mapper)) {
    const { keys, values } = state as { keys?: BTreeKey[]; values?: unknown[] }
    if (values !== undefined) for (const [i, key] of (keys ?? []).entries()) mapped.push([key, values[i]])
  }
  return { mapped, changes: Object.fromEntries(mapper.changes().map(({ kind, count }) => [kind, count])) }
}

/** As Python orders text. */
function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

describe('Mapping of Durus BTrees', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it('makes sound trees of any size, which can be changed', async () => {
    const graph = new DurusGraph()
    const sizes = [0, 1, 64, 65, 128, 129, 64 * 64, 64 * 64 + 1]
    const trees = sizes.map((size, i) => {
      const entries = Array.from({ length: size }, (_, key): Entry => [int(key), `value ${key}`])
      return [int(size), graph.tree(10_000 * (i + 1), entries, 31)] as const
    })
    graph.root(...trees)
    const path = directory.join('trees.perdure')
    const source = { ...graph.source(), path: directory.path }
    await importMapped(source, path, { kind: fileKind, serializer: await loadSerializer('msgpack') })
    const db = await open(path)
    const connection = await db.connect()
    for (const size of sizes) {
      const tree = (connection.root as unknown as Map<number, BTree<number, string>>).get(size) as BTree<number, string>
      expect(tree).to.be.instanceOf(BTree)
      expect(checkStructure(tree, 64).entries).to.equal(size)
      expect(tree.size).to.equal(size)
      expect([...tree.keys()]).to.deep.equal(Array.from({ length: size }, (_, key) => key))
      for (let key = 0; key < 100; key++) tree.set(key + 0.5, 'new')
      for (let key = 0; key < Math.min(size, 500); key += 3) tree.delete(key)
      checkStructure(tree, 64)
    }
    await connection.commit()
    expect((await db.storage.verify()).problems).to.deep.equal([])
    await db.close()
  })

  it('sorts texts anew, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 200 }), async (keys) => {
        const unique = keys.sort(byCodePoints)
        const { mapped, changes } = await mapTree(unique.map((key): Entry => [key, key]))
        expect(mapped).to.deep.equal([...unique].sort().map((key) => [key, key]))
        expect(changes).to.deep.equal({})
      }),
      { numRuns: 100 },
    )
  })

  it('makes arrays of tuples, and of what can be no key', async () => {
    const { mapped, changes } = await mapTree(
      [
        [null, 0],
        [true, 1],
        [{ bytes: Uint8Array.of(1, 255) }, 2],
        [{ tuple: ['a', int(1)] }, 3],
        [{ instance: pickleClass('decimal', 'Decimal'), args: ['1.5'] }, 4],
        [{ str2: Buffer.from('é') }, 5],
        [{ instance: pickleClass('bank', 'Number'), args: [int(2n ** 70n)] }, 6],
      ].map(([key, value]): Entry => [key as PythonValue, int(value as number)]),
    )
    expect(mapped).to.deep.equal([
      [1, 1],
      ['é', 5],
      [['$bytes', '01ff'], 2],
      [['$none'], 0],
      [['$python', 'bank.Number', 2n ** 70n], 6],
      [['$python', 'decimal.Decimal', '1.5'], 4],
      [['a', 1], 3],
    ])
    expect(changes['tree-key']).to.equal(5)
    expect(changes['tuple']).to.equal(1)
  })

  it('tells keys apart that have become the same', async () => {
    const datetime = (microsecond: number): PythonValue => ({
      instance: pickleClass('datetime', 'datetime'),
      args: [{ bytes: Uint8Array.of(0x07, 0xe8, 2, 29, 13, 14, 15, 0, 0, microsecond) }],
    })
    const { mapped, changes } = await mapTree([1, 2, 3].map((i): Entry => [datetime(i), int(i)]))
    const date = new Date('2024-02-29T13:14:15Z')
    expect(mapped).to.deep.equal([
      [date, 1],
      [[date, 1], 2],
      [[date, 2], 3],
    ])
    expect(changes['same-keys']).to.equal(2)
    const keys = mapped.map(([key]) => key)
    expect([...keys].sort(compareKeys)).to.deep.equal(keys)
  })

  it('keeps what a tree has besides its entries', async () => {
    const graph = new DurusGraph()
    const state = (root: PythonValue): PythonValue => ({
      dict: [
        ['label', 'root'],
        ['keys', 'both'],
        ['root', root],
        ['friend', durusReference(0, PERSISTENT_DICT)],
      ],
    })
    const trees = [0, 200].map((size, i) => {
      const entries = Array.from({ length: size }, (_, at): Entry => [int(at), int(at)])
      const oid = 1 + i * 1000
      graph.tree(oid, entries)
      return graph.set(oid, BTREE, state(durusReference(oid + 1, BNODE)))
    })
    graph.root(...trees.map((tree, i): Entry => [int(i), tree]))
    const mapper = await DurusMapper.prepare(graph.source(), {}, {})
    const parts = [...allMapped(mapper)]
    for (const oid of [1, 1001]) {
      const part = parts.find((one) => one.oid === oid)
      expect(part?.state).to.include({ label: 'root', keys_: 'both' })
      expect(part?.state['friend']).to.deep.include({ oid: 0, className: 'PersistentMap' })
      expect(part?.references.map((reference) => reference.oid)).to.include(0)
    }
    const [extra] = mapper.changes().filter(({ kind }) => kind === 'extra-attributes')
    expect(extra?.count).to.equal(6)
  })

  it('keeps nodes of trees that are values in trees', async () => {
    const graph = new DurusGraph()
    const entries = Array.from({ length: 100 }, (_, i): Entry => [int(i), int(i)])
    // A node before, and one behind, the tree that holds it as a value.
    graph.root(
      ['first', graph.tree(1, entries)],
      ['other', graph.tree(5000, entries)],
      [
        'holder',
        graph.tree(3000, [
          [int(1), { list: [durusReference(2, BNODE)] }],
          [int(2), durusReference(5001, BNODE)],
        ]),
      ],
    )
    const mapper = await DurusMapper.prepare(graph.source(), {}, {})
    const parts = [...allMapped(mapper)]
    const oids = new Set(parts.map(({ oid }) => oid))
    expect(oids.size).to.equal(parts.length)
    for (const { references } of parts) for (const { oid } of references) expect([...oids]).to.include(oid)
    expect(mapper.changes().map(({ kind }) => kind)).to.include('tree-node')
  })

  it('refuses keys that are objects, and NaN', async () => {
    for (const key of [durusReference(0, BTREE), { float: Number.NaN }, { dict: [] }, { frozenset: [] }]) {
      const error = await failure('PERDURE_UNSTORABLE', () => mapTree([[key, null]]))
      expect(error.details).to.deep.include({ oid: 2, className: 'durus.btree.BNode16', path: '.items[0]' })
    }
    let doubled: PythonValue = { tuple: [] }
    for (let i = 0; i < 30; i++) doubled = { tuple: [doubled, doubled] }
    await failure('PERDURE_UNSTORABLE', () => mapTree([[doubled, null]]))
  })

  it('refuses trees that are none, and says so of nodes that are missing', async () => {
    const states: PythonValue[] = [
      null,
      { dict: [['items', { list: [] }]] },
      {
        dict: [
          ['items', { list: [int(1)] }],
          ['nodes', null],
        ],
      },
      {
        dict: [
          ['items', { list: [] }],
          ['nodes', { list: [int(1)] }],
        ],
      },
      {
        dict: [
          ['items', { list: [] }],
          ['nodes', { list: [durusReference(2, BNODE)] }],
        ],
      },
    ]
    for (const state of states) {
      const graph = new DurusGraph()
      graph.root(['tree', graph.tree(1, [])])
      graph.set(2, BNODE, state)
      const mapper = await DurusMapper.prepare(graph.source(), {}, {})
      expect((await failure('PERDURE_DECODE', () => [...allMapped(mapper)])).details.oid).to.equal(2)
    }
    const graph = new DurusGraph()
    graph.root(['tree', graph.set(1, BTREE, { dict: [['root', durusReference(2, BNODE)]] })])
    const mapper = await DurusMapper.prepare(graph.source(), {}, {})
    expect([...allMapped(mapper)].find(({ oid }) => oid === 1)?.state).to.deep.equal({ keys: [], values: [] })
    expect(mapper.changes()).to.have.nested.property('[0].kind', 'missing-object')
  })
})

import { expect } from 'chai'
import type { Serializer } from '../../src/core/serializer.js'
import { importMapped, type MappedImportOptions } from '../../src/durus/import-mapped.js'
import { msgpack } from '../../src/serializers/index.js'
import { FileStorage } from '../../src/storages/file.js'
import { fileKind } from '../../src/storages/file-kind.js'
import { DurusGraph, dataOf, PERSISTENT_LIST } from '../support/durus-graph.js'
import { failure } from '../support/errors.js'
import { durusReference, int, type PythonValue, pickleClass } from '../support/pickle-writer.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const THING = pickleClass('app', 'Thing')
const OTHER = pickleClass('app', 'Other')
const OBJECTS = 5000

/** A graph of many objects, more than one chunk, with something to report in each. */
function manyObjects(): DurusGraph {
  const graph = new DurusGraph()
  const things = Array.from({ length: OBJECTS }, (_, i): PythonValue => {
    const attributes: (readonly [string, PythonValue])[] = [
      ['number', int(i)],
      ['pair', { tuple: [int(i), 'x'.repeat(i % 300)] }],
      ['self', durusReference(i + 10, i % 2 === 0 ? THING : OTHER)],
      ['next', durusReference(((i * 7) % OBJECTS) + 10, THING)],
    ]
    if (i % 1000 === 0) attributes.push(['gone', durusReference(1_000_000, THING)])
    return graph.set(i + 10, i % 2 === 0 ? THING : OTHER, { dict: attributes })
  })
  const tree = graph.tree(
    20_000,
    things.map((thing, i) => [int(i), thing] as const),
    31,
  )
  graph.root(['things', graph.set(1, PERSISTENT_LIST, dataOf({ list: things }))], ['tree', tree])
  return graph
}

describe('importMapped', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  function run(graph: DurusGraph, name: string, options: Partial<MappedImportOptions>) {
    const source = { ...graph.source(), path: directory.path }
    return importMapped(source, directory.join(name), { kind: fileKind, serializer: msgpack, ...options })
  }

  async function recordsOf(name: string): Promise<Map<number, string>> {
    await using storage = await FileStorage.open(directory.join(name), { readonly: true })
    const snapshot = storage.snapshot()
    const records = new Map<number, string>()
    for await (const { oid, data } of snapshot.records()) records.set(oid, Buffer.from(data).toString('latin1'))
    snapshot.release()
    return records
  }

  it('does the same with threads and without', async () => {
    const graph = manyObjects()
    const alone = await run(graph, 'alone.perdure', { threadsFrom: Number.POSITIVE_INFINITY })
    const together = await run(graph, 'together.perdure', { threadsFrom: 0 })
    expect({ ...together, changes: [] }).to.deep.equal({ ...alone, changes: [] })
    const counts = ({ changes }: typeof alone) => changes.map(({ kind, count }) => [kind, count])
    expect(counts(together)).to.deep.equal([
      ['tuple', OBJECTS],
      ['missing-object', OBJECTS / 1000],
    ])
    expect(counts(alone)).to.deep.equal(counts(together))
    for (const { examples } of together.changes) expect(examples).to.have.lengthOf.within(1, 100)
    const [expected, found] = [await recordsOf('alone.perdure'), await recordsOf('together.perdure')]
    expect(found.size).to.equal(expected.size)
    for (const [oid, record] of expected) expect(found.get(oid), `object ${oid}`).to.equal(record)
    await using storage = await FileStorage.open(directory.join('together.perdure'), { readonly: true })
    expect((await storage.verify()).problems).to.deep.equal([])
  })

  it('hands over what goes wrong in a thread', async () => {
    const graph = manyObjects()
    let deep: PythonValue = { list: [] }
    for (let i = 0; i < 600; i++) deep = { list: [deep] }
    graph.set(4000, THING, { dict: [['deep', deep]] })
    const error = await failure('PERDURE_UNSTORABLE', () => run(graph, 'x.perdure', { threadsFrom: 0 }))
    expect(error.details).to.deep.include({ oid: 4000, className: 'app.Thing' })
    const unknown: Serializer = { ...msgpack, name: 'only-here' }
    await failure('PERDURE_SERIALIZER', () => run(manyObjects(), 'x.perdure', { threadsFrom: 0, serializer: unknown }))
  })
})

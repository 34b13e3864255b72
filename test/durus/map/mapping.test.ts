import { expect } from 'chai'
import { Reference } from '../../../src/core/reference.js'
import type { State } from '../../../src/core/serializer.js'
import type { DurusMapping } from '../../../src/durus/map/class-map.js'
import { DurusMapper } from '../../../src/durus/map/map-source.js'
import { mapAll } from '../../support/all-mapped.js'
import { DurusGraph, dataOf, PERSISTENT_DICT, PERSISTENT_LIST, PERSISTENT_SET } from '../../support/durus-graph.js'
import { failure } from '../../support/errors.js'
import { durusReference, int, type PythonValue, pickleClass } from '../../support/pickle-writer.js'

const THING = pickleClass('app', 'Thing')

/** The state of a Thing with these attributes, and how often what was not mapped one to one. */
async function mapThing(attributes: PythonValue, mapping?: DurusMapping) {
  const graph = new DurusGraph()
  graph.root(['thing', graph.set(1, THING, attributes)])
  const { objects, changes, mapper } = await mapAll(graph, mapping)
  return { state: objects.get(1)?.state as State, references: objects.get(1)?.references, changes, mapper }
}

async function mapValue(value: PythonValue, mapping?: DurusMapping) {
  const { state, ...rest } = await mapThing({ dict: [['x', value]] }, mapping)
  return { value: state['x'], ...rest }
}

function call(module: string, name: string, ...args: PythonValue[]): PythonValue {
  return { instance: pickleClass(module, name), args }
}

function bytes(...values: number[]): PythonValue {
  return { bytes: Uint8Array.from(values) }
}

describe('Mapping of Durus values', () => {
  it('keeps what both sides have', async () => {
    const { state, changes } = await mapThing({
      dict: [
        ['none', null],
        ['yes', true],
        ['text', 'é中\ud800'],
        ['small', int(-5)],
        ['safe', int(2n ** 53n - 1n)],
        ['large', int(2n ** 53n)],
        ['zero', { float: -0 }],
        ['nan', { float: Number.NaN }],
        ['infinite', { float: -Infinity }],
        ['bytes', bytes(0, 255)],
        ['list', { list: [int(1), { list: [] }] }],
        ['dict', { dict: [['__proto__', int(1)]] }],
        ['numbers', { dict: [[int(1), 'one']] }],
        ['set', { set: [int(1), 'a'] }],
      ],
    })
    expect(changes).to.deep.equal({})
    expect(state['zero']).to.satisfy((zero: number) => Object.is(zero, -0))
    const dict = Object.defineProperty({}, '__proto__', {
      value: 1,
      enumerable: true,
      writable: true,
      configurable: true,
    })
    expect(state).to.deep.equal({
      none: null,
      yes: true,
      text: 'é中\ud800',
      small: -5,
      safe: 2 ** 53 - 1,
      large: 2n ** 53n,
      zero: -0,
      nan: Number.NaN,
      infinite: -Infinity,
      bytes: Uint8Array.of(0, 255),
      list: [1, []],
      dict,
      numbers: new Map([[1, 'one']]),
      set: new Set([1, 'a']),
    })
    expect(Object.getPrototypeOf(state['dict'])).to.equal(Object.prototype)
  })

  it('keeps what is one value one value, and cycles', async () => {
    const shared: PythonValue = { list: [] }
    const cycle: { list: PythonValue[] } = { list: [shared, { tuple: [shared] }] }
    cycle.list.push({ dict: [['back', cycle]] })
    const { value } = await mapValue(cycle)
    const list = value as [unknown, unknown[], { back: unknown }]
    expect(list[1][0]).to.equal(list[0])
    expect(list[2].back).to.equal(list)
  })

  it('makes arrays of tuples and Sets of frozensets, and says so', async () => {
    const tuples = await mapValue({ tuple: [int(1), { tuple: [] }] })
    expect(tuples.value).to.deep.equal([1, []])
    expect(tuples.changes).to.deep.equal({ tuple: 2 })
    const [{ examples } = { examples: [] }] = tuples.mapper.changes()
    expect(examples[1]).to.deep.equal({
      oid: 1,
      className: 'app.Thing',
      path: '.x[1]',
      found: 'a tuple of 0',
      stored: 'an array',
    })
    const { value, changes } = await mapValue({ frozenset: [int(1)] })
    expect(value).to.deep.equal(new Set([1]))
    expect(changes).to.deep.equal({ frozenset: 1 })
  })

  it('takes the str of Python 2 for text if it can be', async () => {
    const { state, changes } = await mapThing({
      dict: [
        ['ascii', { str2: Buffer.from('plain') }],
        ['utf8', { str2: Buffer.from('é') }],
        ['other', { str2: Buffer.from('\xe9', 'latin1') }],
      ],
    })
    expect(state).to.deep.equal({ ascii: 'plain', utf8: 'é', other: Uint8Array.of(0xe9) })
    expect(changes).to.deep.equal({ 'python-2-text': 1, 'python-2-bytes': 1 })
  })

  it('makes Dates of datetimes and dates', async () => {
    // 2024-02-29 13:14:15.123456
    const moment = bytes(0x07, 0xe8, 2, 29, 13, 14, 15, 0x01, 0xe2, 0x40)
    const delta = call('datetime', 'timedelta', int(0), int(7200), int(0))
    const zone = call('datetime', 'timezone', delta)
    const naive = await mapValue(call('datetime', 'datetime', moment))
    expect(naive.value).to.deep.equal(new Date('2024-02-29T13:14:15.123Z'))
    expect(naive.changes).to.deep.equal({ 'naive-datetime': 1, microseconds: 1 })
    const aware = await mapValue(call('datetime', 'datetime', moment, zone))
    expect(aware.value).to.deep.equal(new Date('2024-02-29T11:14:15.123Z'))
    expect(aware.changes).to.deep.equal({ 'time-zone': 1, microseconds: 1 })
    const elsewhere = await mapValue(call('datetime', 'datetime', moment, call('pytz', '_p', 'Europe/Berlin')))
    expect(elsewhere.value).to.deep.equal({
      $python: 'datetime.datetime',
      args: ['2024-02-29T13:14:15.123456', { $python: 'pytz._p', args: ['Europe/Berlin'] }],
    })
    const year50 = await mapValue(call('datetime', 'date', bytes(0, 50, 3, 1)))
    expect((year50.value as Date).toISOString()).to.equal('0050-03-01T00:00:00.000Z')
    const none = await mapValue(call('datetime', 'date', bytes(0x07, 0xe7, 2, 29)))
    expect(none.value).to.deep.include({ $python: 'datetime.date' })
    const time = await mapValue(call('datetime', 'time', bytes(1, 2, 3, 0, 0, 4)))
    expect(time.value).to.deep.equal({ $python: 'datetime.time', args: ['01:02:03.000004'] })
  })

  it('makes plain forms of other objects, losing nothing', async () => {
    const decimal = await mapValue(call('decimal', 'Decimal', '1.50'))
    expect(decimal.value).to.deep.equal({ $python: 'decimal.Decimal', args: ['1.50'] })
    expect(decimal.changes).to.deep.equal({ 'python-object': 1 })
    const uuid = await mapValue({
      instance: pickleClass('uuid', 'UUID'),
      isNew: true,
      state: { dict: [['int', int(0x12345678123456781234567812345678n)]] },
    })
    expect(uuid.value).to.deep.equal({ $python: 'uuid.UUID', args: ['12345678-1234-5678-1234-567812345678'] })
    const any = await mapValue({
      instance: pickleClass('app', 'Odd'),
      args: [int(1)],
      isNew: true,
      items: [int(2)],
      state: { dict: [['a', int(3)]] },
    })
    expect(any.value).to.deep.equal({ $python: 'app.Odd', args: [1], state: { a: 3 }, items: [2] })
    const type = await mapValue(pickleClass('app', 'function'))
    expect(type.value).to.deep.equal({ $global: 'app.function' })
    const unnamed = await mapValue({ instance: call('functools', 'partial'), args: [] })
    expect(unnamed.value).to.deep.equal({ $python: { $python: 'functools.partial' } })
  })

  it('lets functions of the user make something else of them', async () => {
    const values = { 'decimal.Decimal': ({ args }: State) => Number((args as string[])[0]) }
    const { value, changes } = await mapValue(call('decimal', 'Decimal', '1.50'), { values })
    expect(value).to.equal(1.5)
    expect(changes).to.deep.equal({})
    const failing = { 'decimal.Decimal': () => JSON.parse('{') }
    const failed = await failure('PERDURE_ARGUMENT', () =>
      mapValue(call('decimal', 'Decimal', '1'), { values: failing }),
    )
    expect(failed.details).to.deep.include({ oid: 1, className: 'app.Thing', path: '.x' })
    const wrong = { 'decimal.Decimal': () => () => 1 }
    const error = await failure('PERDURE_UNSTORABLE', () =>
      mapValue(call('decimal', 'Decimal', '1'), { values: wrong }),
    )
    expect(error.details.oid).to.equal(1)
  })

  it('reports keys that can no longer be looked up, and loses none that have become the same', async () => {
    const keys = await mapValue({ dict: [[{ tuple: [int(1), int(2)] }, 'x']] })
    expect(keys.value).to.deep.equal(new Map([[[1, 2], 'x']]))
    expect(keys.changes).to.deep.equal({ tuple: 1, key: 1 })
    const same: PythonValue = {
      dict: [
        ['é', int(1)],
        [{ str2: Buffer.from('é') }, int(2)],
      ],
    }
    const { value, changes } = await mapValue(same)
    expect(value).to.deep.equal({ $python: 'builtins.dict', args: [['é', 1, 'é', 2]] })
    expect(changes['same-keys']).to.equal(1)
    const members = await mapValue({ set: ['é', { str2: Buffer.from('é') }] })
    expect(members.value).to.deep.equal({ $python: 'builtins.set', args: [['é', 'é']] })
  })

  it('does not let shared texts and deep nesting grow without end', async () => {
    const long: PythonValue = { str2: Buffer.from('x'.repeat(1 << 20)) }
    await failure('PERDURE_UNSTORABLE', () => mapValue({ list: new Array(300).fill(long) }))
    let deep: PythonValue = { list: [] }
    for (let i = 0; i < 600; i++) deep = { list: [deep] }
    const error = await failure('PERDURE_UNSTORABLE', () => mapValue(deep))
    expect(error.details).to.deep.include({ oid: 1, className: 'app.Thing' })
    let doubled: PythonValue = { list: [] }
    for (let i = 0; i < 400; i++) doubled = { list: [doubled, doubled] }
    expect((await mapValue(doubled)).value).to.be.an('array')
  })
})

describe('Mapping of Durus objects', () => {
  it('keeps references, with the classes that the objects really are of', async () => {
    const graph = new DurusGraph()
    graph.set(1, THING, { dict: [] })
    // The reference still has the name that the class had when it was written.
    graph.root(['a', durusReference(1, pickleClass('old', 'Name'))])
    const { objects } = await mapAll(graph)
    expect(objects.get(0)?.state).to.deep.equal({ items: new Map([['a', new Reference(1, 'Thing')]]) })
    expect(objects.get(0)?.references).to.deep.equal([new Reference(1, 'Thing')])
  })

  it('makes collections of collections', async () => {
    const graph = new DurusGraph()
    const list = graph.set(1, PERSISTENT_LIST, dataOf({ list: [int(1)] }))
    const set = graph.set(2, PERSISTENT_SET, { dict: [['s', { set: [int(1)] }]] })
    const dict = graph.set(3, PERSISTENT_DICT, dataOf({ dict: [[int(1), null]] }))
    graph.root(['list', list], ['set', set], ['dict', dict])
    const { objects, changes } = await mapAll(graph)
    expect(objects.get(1)).to.deep.include({ className: 'PersistentList', state: { items: [1] } })
    expect(objects.get(2)).to.deep.include({ className: 'PersistentSet', state: { items: new Set([1]) } })
    expect(objects.get(3)).to.deep.include({ className: 'PersistentMap', state: { items: new Map([[1, null]]) } })
    expect(changes).to.deep.equal({})
  })

  it('keeps beside a collection what does not fit in', async () => {
    const graph = new DurusGraph()
    const more = graph.set(1, PERSISTENT_DICT, {
      dict: [
        ['data', { dict: [] }],
        ['note', 'x'],
      ],
    })
    const other = graph.set(2, PERSISTENT_LIST, dataOf(int(5)))
    const odd = graph.set(3, PERSISTENT_SET, int(7))
    graph.root(['more', more], ['other', other], ['odd', odd])
    const { objects, changes } = await mapAll(graph)
    expect(objects.get(1)?.state).to.deep.equal({ items: new Map(), note: 'x' })
    expect(objects.get(2)?.state).to.deep.equal({ items: [], data: 5 })
    expect(objects.get(3)?.state).to.deep.equal({ items: new Set(), $state: 7 })
    expect(changes).to.deep.equal({ 'extra-attributes': 2, state: 1 })
  })

  it('takes slots for fields, and keeps states of other kinds', async () => {
    const slots = await mapThing({ tuple: [{ dict: [['a', int(1)]] }, { dict: [['b', int(2)]] }] })
    expect(slots.state).to.deep.equal({ a: 1, b: 2 })
    expect((await mapThing({ tuple: [null, { dict: [['b', int(2)]] }] })).state).to.deep.equal({ b: 2 })
    expect((await mapThing(null)).state).to.deep.equal({})
    const list = await mapThing({ list: [int(1)] })
    expect(list.state).to.deep.equal({ $state: [1] })
    expect(list.changes).to.deep.equal({ state: 1 })
    const twice = await mapThing({ tuple: [{ dict: [['a', int(1)]] }, { dict: [['a', int(2)]] }] })
    expect(twice.state).to.deep.equal({ $state: [{ a: 1 }, { a: 2 }] })
  })

  it('gives another name to fields that would never be stored', async () => {
    const { state, changes } = await mapThing({
      dict: [
        ['v_a', int(1)],
        ['_v_a', int(2)],
      ],
    })
    expect(state).to.deep.equal({ v_a: 1, v_a_: 2 })
    expect(changes).to.deep.equal({ 'volatile-name': 1 })
    const reversed = await mapThing({
      dict: [
        ['_v_a', int(2)],
        ['v_a', int(1)],
      ],
    })
    expect(reversed.state).to.deep.equal({ v_a: 2, v_a_: 1 })
  })

  it('reports references to objects that are not there', async () => {
    const graph = new DurusGraph()
    graph.root(['gone', durusReference(9, THING)])
    const { objects, changes } = await mapAll(graph)
    expect(objects.get(0)?.state).to.deep.equal({ items: new Map([['gone', { $missing: 'app.Thing', oid: 9 }]]) })
    expect(changes).to.deep.equal({ 'missing-object': 1 })
  })

  it('leaves garbage out, whatever it is', async () => {
    const graph = new DurusGraph()
    graph.root(['thing', graph.set(1, THING, { dict: [] })])
    graph.set(2, pickleClass('other', 'Thing'), { dict: [] })
    graph.set(3, int(5), { dict: [] })
    const { objects, mapper } = await mapAll(graph)
    expect([...objects.keys()]).to.have.members([0, 1])
    expect(mapper.classes().map(({ className }) => className)).to.have.members(['PersistentMap', 'Thing'])
    expect(mapper.nextOid).to.equal(4)
  })

  it('takes no memory for references to what is not there', async () => {
    const graph = new DurusGraph()
    graph.root()
    const source = graph.source()
    const references = Array.from({ length: 100_000 }, (_, i) => (i + 1) * 2 ** 30)
    const load = (oid: number) => {
      const object = source.load(oid)
      return object === undefined ? undefined : { ...object, references }
    }
    const before = process.memoryUsage().arrayBuffers
    const mapper = await DurusMapper.prepare({ ...source, load }, {}, {})
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(32 * references.length)
    expect(mapper.objects).to.equal(1)
  })

  it('names the object whose pickle makes no sense', async () => {
    const graph = new DurusGraph()
    graph.root(['thing', graph.set(1, int(5), { dict: [] })])
    const error = await failure('PERDURE_DECODE', () => mapAll(graph))
    expect(error.details).to.deep.include({ oid: 1, offset: 0 })
  })

  it('needs a root, and one that becomes a PersistentMap', async () => {
    await failure('PERDURE_OBJECT_MISSING', () => mapAll(new DurusGraph()))
    const graph = new DurusGraph()
    graph.set(0, THING, dataOf({ dict: [['a', int(1)]] }))
    await failure('PERDURE_UNSUPPORTED', () => mapAll(graph))
    const { objects } = await mapAll(graph, { classes: { 'app.Thing': 'PersistentMap' } })
    expect(objects.get(0)?.state).to.deep.equal({ items: new Map([['a', 1]]) })
  })
})

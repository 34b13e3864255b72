import { inspect } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { PersistentList } from '../../src/collections/persistent-list.js'
import { failure } from '../support/errors.js'
import { Session, type Turn } from '../support/session.js'
import { Thing } from '../support/thing.js'

type Elements = unknown[]
type Call = { name: string; run: (list: Elements) => unknown }

const position = fc.integer({ min: -6, max: 12 })
const element = fc.constantFrom<unknown>(0, -0, 1, 2, 3, 'a', 'b', Number.NaN, null, undefined)
const elements = fc.array(element, { maxLength: 4 })

/** Arguments for methods that take no callback; how many there are makes a difference for some. */
const plainCalls: Record<string, fc.Arbitrary<unknown[]>> = {
  at: fc.tuple(position),
  concat: fc.tuple(element, elements),
  copyWithin: fc.array(position, { minLength: 2, maxLength: 3 }),
  entries: fc.constant<unknown[]>([]),
  fill: fc.tuple(element, position, position),
  flat: fc.constantFrom<unknown[][]>([], [0], [2]),
  includes: fc.oneof(fc.tuple(element), fc.tuple(element, position)),
  indexOf: fc.oneof(fc.tuple(element), fc.tuple(element, position)),
  join: fc.constantFrom<unknown[][]>([], ['-']),
  keys: fc.constant<unknown[]>([]),
  lastIndexOf: fc.oneof(fc.tuple(element), fc.tuple(element, position)),
  pop: fc.constant<unknown[]>([]),
  push: elements,
  reverse: fc.constant<unknown[]>([]),
  shift: fc.constant<unknown[]>([]),
  slice: fc.array(position, { maxLength: 2 }),
  sort: fc.constant<unknown[]>([]),
  splice: fc.oneof(fc.array(position, { maxLength: 2 }), fc.tuple(position, position, element, element)),
  toLocaleString: fc.constant<unknown[]>([]),
  toReversed: fc.constant<unknown[]>([]),
  toSorted: fc.constant<unknown[]>([]),
  toSpliced: fc.tuple(position, position, element),
  toString: fc.constant<unknown[]>([]),
  unshift: elements,
  values: fc.constant<unknown[]>([]),
  with: fc.tuple(position, element),
}

/** Callbacks for the others; each is called with element, position and the list, whatever it makes of them. */
const callbacks: Record<string, unknown[]> = {
  every: [(x: unknown) => x !== 1],
  filter: [(x: unknown) => typeof x === 'number'],
  find: [(x: unknown) => x === 2],
  findIndex: [(x: unknown) => x === 2],
  findLast: [(x: unknown) => x === 2],
  findLastIndex: [(x: unknown) => x === 2],
  flatMap: [(x: unknown, i: number) => [x, i]],
  forEach: [() => undefined],
  map: [(x: unknown, i: number) => `${String(x)}${i}`],
  reduce: [(sum: string, x: unknown, i: number) => `${sum}${String(x)}${i}`, ''],
  reduceRight: [(sum: string, x: unknown, i: number) => `${sum}${String(x)}${i}`, ''],
  some: [(x: unknown) => x === 'a'],
  sort: [(a: unknown, b: unknown) => (String(a) < String(b) ? 1 : String(a) > String(b) ? -1 : 0)],
  toSorted: [(a: unknown, b: unknown) => (String(a) < String(b) ? 1 : String(a) > String(b) ? -1 : 0)],
}

function call(name: string, args: unknown[]): Call {
  return {
    name: `${name}(${inspect(args)})`,
    run: (list) => (list[name as never] as (...args: unknown[]) => unknown)(...args),
  }
}

const anyCall: fc.Arbitrary<Call> = fc.oneof(
  ...Object.entries(plainCalls).map(([name, args]) => args.map((given) => call(name, given))),
  fc.constantFrom(...Object.entries(callbacks)).map(([name, args]) => call(name, args)),
  fc.record({ at: fc.nat(9), value: element }).map(({ at, value }) => ({
    name: `[${at}] = ${String(value)}`,
    run: (list: Elements) => {
      list[at] = value
    },
  })),
  fc.nat(9).map((length) => ({
    name: `length = ${length}`,
    run: (list: Elements) => {
      list.length = length
    },
  })),
  fc.nat(9).map((at) => ({ name: `delete [${at}]`, run: (list: Elements) => delete list[at] })),
)
const command: fc.Arbitrary<Call | { turn: Turn }> = fc.oneof(
  { weight: 8, arbitrary: anyCall },
  { weight: 1, arbitrary: fc.record({ turn: fc.constantFrom<Turn>('commit', 'abort', 'reload') }) },
)

/** What a call came to: its result, with iterators used up, or the name of its error. */
function outcome(list: Elements, { run }: Call): unknown {
  try {
    const result = run(list)
    if (result === list) return 'itself'
    const next = (result as { next?: unknown } | null | undefined)?.next
    return typeof next === 'function' ? [...(result as Iterable<unknown>)] : result
  } catch (error) {
    return (error as Error).name
  }
}

/** Holes shown apart from undefined. */
function visible(list: Elements): unknown[] {
  return Array.from({ length: list.length }, (_, i) => (i in list ? [list[i]] : 'hole'))
}

async function runModel(commands: readonly (Call | { turn: Turn })[]): Promise<void> {
  const session = await Session.start(() => new PersistentList(), [PersistentList], { cacheSize: 1 })
  let model: Elements = []
  let committed: Elements = []
  try {
    for (const each of commands) {
      if ('turn' in each) {
        await session.take(each.turn)
        if (each.turn === 'abort') model = committed.slice()
        else committed = model.slice()
      } else expect(outcome(session.root, each), each.name).to.deep.equal(outcome(model, each))
      expect(visible(session.root)).to.deep.equal(visible(model))
      expect(Object.keys(session.root)).to.deep.equal(Object.keys(model))
      expect(JSON.stringify(session.root)).to.equal(JSON.stringify(model))
    }
  } finally {
    await session.close()
  }
}

describe('PersistentList', () => {
  it('does the same as an array', async () => {
    const program = fc.array(command, { maxLength: 40, size: 'max' })
    await fc.assert(fc.asyncProperty(program, runModel), { numRuns: 250 })
  })

  it('has every property of Array.prototype, and each is tested', () => {
    const untested = new Set<unknown>(['constructor', 'length', Symbol.iterator, Symbol.unscopables])
    for (const name of Reflect.ownKeys(Array.prototype)) {
      expect(name in PersistentList.prototype || name === 'length', String(name)).to.equal(true)
      if (typeof name === 'symbol' || untested.has(name)) continue
      expect(name in plainCalls || name in callbacks, name).to.equal(true)
    }
  })

  it('looks like an array to whoever asks', () => {
    const list = new PersistentList(['a', 'b'])
    const [first, ...rest] = list
    expect([first, rest]).to.deep.equal(['a', ['b']])
    expect(Array.isArray(list)).to.equal(true)
    expect(list[-1 as number]).to.equal(undefined)
    expect(list['01' as never]).to.equal(undefined)
    expect(list[2 ** 32 - 1]).to.equal(undefined)
    expect(0 in list && 'push' in list && !(2 in list)).to.equal(true)
    expect(['x'].concat(list)).to.deep.equal(['x', 'a', 'b'])
    expect([[list]].flat(2)).to.deep.equal(['a', 'b'])
    expect({ ...list }).to.deep.equal({ 0: 'a', 1: 'b' })
    expect(Object.getOwnPropertyDescriptor(list, 'length')).to.include({ value: 2, enumerable: false })
    expect(list.map((s) => s)).to.not.be.instanceOf(PersistentList)
    expect(list).to.not.be.instanceOf(Array)
    expect(list).to.be.instanceOf(PersistentList)
  })

  it('has no other properties than its elements', async () => {
    const list = new PersistentList<unknown>([1]) as PersistentList & { title?: string }
    const { message } = await failure('PERDURE_ARGUMENT', () => Object.assign(list, { title: 'x' }))
    expect(message).to.contain('title').and.contain('field of a class')
    await failure('PERDURE_ARGUMENT', () => Object.defineProperty(list, 0, { get: () => 1 }))
    await failure('PERDURE_ARGUMENT', () => Object.defineProperty(list, 'length', { writable: false }))
    expect(() => Object.freeze(list)).to.throw(TypeError)
    expect(() => Object.setPrototypeOf(list, null)).to.throw(TypeError)
    expect(() => {
      list.length = -1
    }).to.throw(RangeError)
    await failure('PERDURE_ARGUMENT', () => new PersistentList(3 as never))
    expect(Reflect.deleteProperty(list, 'length')).to.equal(false)
    Object.defineProperty(list, 1, { value: 2, writable: true, enumerable: true, configurable: true })
    Object.defineProperty(list, 0, { value: 3 })
    expect([...list]).to.deep.equal([3, 2])
  })

  it('finds persistent objects, and sorts them by what they say', async () => {
    const things = ['b', 'a', 'c'].map((name) => new Thing(name))
    const session = await Session.start(() => new PersistentList(things), [PersistentList, Thing], { cacheSize: 1 })
    const { root } = session
    const last = root[2] as Thing
    expect(root.includes(last)).to.equal(true)
    expect(root.indexOf(last)).to.equal(2)
    expect(root.lastIndexOf(last)).to.equal(2)
    expect(root.sort((x, y) => (x.name < y.name ? -1 : 1)).map((thing) => thing.name)).to.deep.equal(['a', 'b', 'c'])
    await session.take('reload')
    expect(session.root.splice(1, 1)[0]?.name).to.equal('b')
    expect(session.root.map((thing) => thing.name)).to.deep.equal(['a', 'c'])
    await session.close()
  })

  it('notices changes inside containers, also of those taken from a copy while it was evicted', async () => {
    const createRoot = () => new PersistentList<unknown>([new Thing('t'), [1], new Thing('u'), [2]])
    const session = await Session.start(createRoot, [PersistentList, Thing], { cacheSize: 1 })
    await session.take('reload')
    const copy = session.root.slice()
    const names = copy.filter((each) => each instanceof Thing).map((thing) => thing.name)
    expect(names).to.deep.equal(['t', 'u'])
    for (const each of copy) if (Array.isArray(each)) each.push(3)
    await session.take('reload')
    expect(session.root.filter(Array.isArray)).to.deep.equal([
      [1, 3],
      [2, 3],
    ])
    await session.close()
  })

  it('takes setting the same primitive for no change', async () => {
    const session = await Session.start(() => new PersistentList([1]), [PersistentList])
    const { root } = session
    root[0] = 1
    root.length = 1
    root.push()
    expect(root.pop()).to.equal(1)
    expect(session.connection.statistics.changed).to.equal(1)
    session.connection.abort()
    expect([...session.root]).to.deep.equal([1])
    await session.close()
  })

  it('lets subclasses have methods and accessors, which see the elements', async () => {
    class Stack extends PersistentList<number> {
      static override readonly className = 'Stack'
      get top(): number | undefined {
        return this.at(-1)
      }
      set top(value: number) {
        this[this.length - 1] = value
      }
    }
    const session = await Session.start(() => new Stack([1, 2]), [Stack])
    session.root.top = 7
    await session.take('reload')
    expect(session.root.top).to.equal(7)
    expect(inspect(session.root)).to.equal('Stack [ 1, 7 ]')
    await session.close()
  })
})

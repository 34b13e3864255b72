import { inspect } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { PersistentMap } from '../../src/collections/persistent-map.js'
import { failure } from '../support/errors.js'
import { Session, type Turn } from '../support/session.js'
import { Thing } from '../support/thing.js'

type Root = PersistentMap<unknown, unknown>
type Command =
  | { kind: 'set' | 'add'; key: unknown; value: unknown }
  | { kind: 'delete' | 'get'; key: unknown }
  | { kind: 'clear' }
  | { kind: 'walk'; remove: unknown; add: unknown }
  | { kind: 'turn'; turn: Turn }

/** A key 'thing n' stands for the n-th persistent object, which is another instance after a reload. */
const key = fc.constantFrom<unknown>('a', 'b', '', 0, -0, 1, Number.NaN, 1n, null, undefined, true, ...things(4))
const value = fc.constantFrom<unknown>(0, -0, 1, 'x', undefined, Number.NaN, ...things(2))

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('set' as const, 'add' as const), key, value }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('delete' as const, 'get' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('walk' as const), remove: key, add: key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('turn' as const),
      turn: fc.constantFrom<Turn>('commit', 'abort', 'reload'),
    }),
  },
)

function things(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `thing ${i}`)
}

class Run {
  readonly session: Session<Root>
  model = new Map<unknown, unknown>()
  committed = new Map<unknown, unknown>()

  constructor(session: Session<Root>) {
    this.session = session
  }

  /** The things are the values of an entry that the model does not know of. */
  real(given: unknown): unknown {
    const things = this.session.root.get('things') as Map<string, Thing>
    return typeof given === 'string' && given.startsWith('thing ') ? things.get(given) : given
  }

  named(shown: unknown): unknown {
    return shown instanceof Thing ? shown.name : shown
  }

  apply(command: Exclude<Command, { kind: 'turn' }>): void {
    const { root } = this.session
    const { model } = this
    switch (command.kind) {
      case 'set':
        expect(root.set(this.real(command.key), this.real(command.value))).to.equal(root)
        model.set(command.key, command.value)
        break
      case 'add': {
        const known = model.has(command.key)
        const expected = known ? model.get(command.key) : command.value
        expect(this.named(root.getOrInsert(this.real(command.key), this.real(command.value)))).to.deep.equal(expected)
        if (!known) model.set(command.key, command.value)
        break
      }
      case 'delete':
        expect(root.delete(this.real(command.key))).to.equal(model.delete(command.key))
        break
      case 'get':
        expect(this.named(root.get(this.real(command.key)))).to.deep.equal(model.get(command.key))
        expect(root.has(this.real(command.key))).to.equal(model.has(command.key))
        break
      case 'walk':
        this.walk(command.remove, command.add)
        break
      case 'clear': {
        const things = root.get('things')
        root.clear()
        root.set('things', things)
        model.clear()
      }
    }
  }

  /** Changes the map after the first step of an iteration over it, as its model. */
  walk(remove: unknown, add: unknown): void {
    const { root } = this.session
    const seen: unknown[] = []
    const expected: unknown[] = []
    for (const [k] of root) {
      if (k === 'things') continue
      if (seen.push(this.named(k)) > 1) continue
      root.delete(this.real(remove))
      root.set(this.real(add), 1)
    }
    for (const [k] of this.model) {
      if (expected.push(k) > 1) continue
      this.model.delete(remove)
      this.model.set(add, 1)
    }
    expect(seen).to.deep.equal(expected)
  }

  check(): void {
    const { root } = this.session
    const found = [...root].map(([k, v]) => [this.named(k), this.named(v)]).filter(([k]) => k !== 'things')
    expect(found).to.deep.equal([...this.model])
    expect(root.size).to.equal(this.model.size + 1)
  }
}

async function start(cacheSize: number): Promise<Run> {
  const createRoot = () =>
    new PersistentMap<unknown, unknown>([['things', new PersistentMap(things(4).map((n) => [n, new Thing(n)]))]])
  return new Run(await Session.start<Root>(createRoot, [PersistentMap, Thing], { cacheSize }))
}

describe('PersistentMap', () => {
  it('does the same as a Map', async () => {
    const program = fc.array(command, { maxLength: 50, size: 'max' })
    const property = fc.asyncProperty(program, fc.integer({ min: 1, max: 4 }), async (commands, cacheSize) => {
      const run = await start(cacheSize)
      try {
        for (const each of commands) {
          if (each.kind === 'turn') {
            await run.session.take(each.turn)
            if (each.turn === 'abort') run.model = new Map(run.committed)
            else run.committed = new Map(run.model)
          } else run.apply(each)
          run.check()
        }
      } finally {
        await run.session.close()
      }
    })
    await fc.assert(property, { numRuns: 150 })
  })

  it('has every property of Map.prototype', () => {
    for (const name of Reflect.ownKeys(Map.prototype))
      expect(name in PersistentMap.prototype, String(name)).to.equal(true)
    expect(Object.prototype.toString.call(new PersistentMap())).to.equal('[object PersistentMap]')
  })

  it('takes setting the same primitive for no change, and anything else for one', async () => {
    const session = await Session.start(() => new PersistentMap<string, unknown>([['a', 1]]), [PersistentMap])
    await session.take('commit')
    session.root.set('a', 1)
    session.root.delete('b')
    expect(session.connection.statistics.changed).to.equal(0)
    session.root.set('b', undefined)
    expect(session.connection.statistics.changed).to.equal(1)
    await session.take('reload')
    expect(session.root.has('b')).to.equal(true)
    await session.close()
  })

  it('notices changes inside containers it holds', async () => {
    const session = await Session.start(() => new PersistentMap<string, number[]>([['a', [1]]]), [PersistentMap])
    session.root.get('a')?.push(2)
    for (const list of session.root.values()) list.push(3)
    await session.take('reload')
    expect(session.root.get('a')).to.deep.equal([1, 2, 3])
    await session.close()
  })

  it('computes what is missing, once', () => {
    const map = new PersistentMap<string, string>([['a', 'known']])
    expect(map.getOrInsertComputed('a', () => 'new')).to.equal('known')
    expect(map.getOrInsertComputed('b', (k) => `${k}!`)).to.equal('b!')
    expect([...map.keys()]).to.deep.equal(['a', 'b'])
  })

  it('ends an iteration whose map was replaced', async () => {
    const session = await Session.start(() => new PersistentMap([['a', 1]]), [PersistentMap])
    session.root.set('b', 2)
    const steps = session.root.keys()
    steps.next()
    session.connection.abort()
    await failure('PERDURE_STALE', () => steps.next())
    await session.close()
  })

  it('goes on with an iteration after a commit, and after eviction', async () => {
    const session = await Session.start(() => new PersistentMap<number, Thing>(), [PersistentMap, Thing], {
      cacheSize: 1,
    })
    for (let i = 0; i < 20; i++) session.root.set(i, new Thing(`${i}`))
    await session.take('reload')
    const seen: string[] = []
    for (const [i, thing] of session.root) {
      seen.push(thing.name)
      if (i === 5) await session.take('commit')
      if (i === 6) session.root.delete(7)
    }
    expect(seen).to.deep.equal([...Array(20).keys()].filter((i) => i !== 7).map(String))
    await session.close()
  })

  it('calls back with value, key and itself', () => {
    const map = new PersistentMap([['a', 1]])
    const calls: unknown[] = []
    map.forEach(function (this: unknown, ...args) {
      calls.push(this, ...args)
    }, 'this')
    expect(calls).to.deep.equal(['this', 1, 'a', map])
  })

  it('is shown as a Map, and stored by subclasses under their own name', async () => {
    class Index extends PersistentMap<string, number> {
      static override readonly className = 'Index'
    }
    const session = await Session.start(() => new Index([['a', 1]]), [Index])
    await session.take('reload')
    expect(session.root).to.be.instanceOf(Index)
    expect(inspect(session.root)).to.equal("Index(1) { 'a' => 1 }")
    expect(inspect({ a: { b: { c: new PersistentMap() } } })).to.equal('{ a: { b: { c: [PersistentMap] } } }')
    expect(inspect(new PersistentMap())).to.equal('PersistentMap(0) {}')
    expect(JSON.stringify(session.root)).to.equal('{"a":1}')
    expect(JSON.stringify(new PersistentMap<unknown, number>([[1, 2]]))).to.equal('[[1,2]]')
    await session.close()
  })
})

import { inspect } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { PersistentSet } from '../../src/collections/persistent-set.js'
import { failure } from '../support/errors.js'
import { Session, type Turn } from '../support/session.js'
import { Thing } from '../support/thing.js'

type Command = { kind: 'add' | 'delete' | 'has'; member: unknown } | { kind: 'clear' } | { kind: 'turn'; turn: Turn }

const member = fc.constantFrom<unknown>('a', 'b', 0, -0, Number.NaN, 1, 1n, null, undefined, false)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constantFrom('add' as const, 'delete' as const, 'has' as const), member }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('turn' as const),
      turn: fc.constantFrom<Turn>('commit', 'abort', 'reload'),
    }),
  },
)

async function runModel(commands: readonly Command[]): Promise<void> {
  const session = await Session.start(() => new PersistentSet(), [PersistentSet], { cacheSize: 1 })
  let model = new Set<unknown>()
  let committed = new Set<unknown>()
  try {
    for (const each of commands) {
      const { root } = session
      if (each.kind === 'turn') {
        await session.take(each.turn)
        if (each.turn === 'abort') model = new Set(committed)
        else committed = new Set(model)
      } else if (each.kind === 'clear') {
        root.clear()
        model.clear()
      } else if (each.kind === 'add') {
        expect(root.add(each.member)).to.equal(root)
        model.add(each.member)
      } else expect(root[each.kind](each.member)).to.equal(model[each.kind](each.member))
      expect([...session.root]).to.deep.equal([...model])
      expect(session.root.size).to.equal(model.size)
    }
  } finally {
    await session.close()
  }
}

describe('PersistentSet', () => {
  it('does the same as a Set', async () => {
    const program = fc.array(command, { maxLength: 50, size: 'max' })
    await fc.assert(fc.asyncProperty(program, runModel), { numRuns: 100 })
  })

  it('has every property of Set.prototype', () => {
    for (const name of Reflect.ownKeys(Set.prototype))
      expect(name in PersistentSet.prototype, String(name)).to.equal(true)
    expect(Object.prototype.toString.call(new PersistentSet())).to.equal('[object PersistentSet]')
  })

  it('combines and compares as the standard says', () => {
    const members = fc.uniqueArray(fc.nat(8))
    fc.assert(
      fc.property(members, members, fc.boolean(), (a, b, map) => {
        const one = new PersistentSet(a)
        const other = map ? new Map(b.map((n) => [n, n])) : new PersistentSet(b)
        expect([...one.union(other)]).to.deep.equal([...a, ...b.filter((n) => !a.includes(n))])
        expect([...one.intersection(other)]).to.have.members(a.filter((n) => b.includes(n)))
        expect([...one.difference(other)]).to.deep.equal(a.filter((n) => !b.includes(n)))
        const apart = [...a.filter((n) => !b.includes(n)), ...b.filter((n) => !a.includes(n))]
        expect([...one.symmetricDifference(other)]).to.deep.equal(apart)
        expect(one.isSubsetOf(other)).to.equal(a.every((n) => b.includes(n)))
        expect(one.isSupersetOf(other)).to.equal(b.every((n) => a.includes(n)))
        expect(one.isDisjointFrom(other)).to.equal(!a.some((n) => b.includes(n)))
        expect(one.union(other)).to.be.instanceOf(Set)
        expect([...one]).to.deep.equal(a)
      }),
    )
  })

  it('takes whatever has a size, has() and keys(), and nothing else', async () => {
    const set = new PersistentSet([1, 2])
    const like = { size: 1, has: (n: unknown) => n === 2, keys: () => [2][Symbol.iterator]() }
    expect([...set.difference(like)]).to.deep.equal([1])
    for (const other of [[1], undefined, { ...like, size: Number.NaN }, { ...like, keys: 1 }]) {
      for (const method of ['union', 'difference', 'isSubsetOf', 'isDisjointFrom'] as const) {
        await failure('PERDURE_ARGUMENT', () => set[method](other as never))
      }
    }
  })

  it('finds persistent objects after loading', async () => {
    const [a, b] = [new Thing('a'), new Thing('b')]
    const session = await Session.start(() => new PersistentSet([a]), [PersistentSet, Thing], { cacheSize: 1 })
    const [first] = session.root
    expect(session.root.has(first as Thing)).to.equal(true)
    session.root.add(first as Thing).add(b)
    expect(session.root.size).to.equal(2)
    await session.take('reload')
    expect([...session.root.keys()].map((thing) => thing.name)).to.deep.equal(['a', 'b'])
    expect([...session.root.entries()][1]?.[1].name).to.equal('b')
    const [again] = session.root
    expect(session.root.delete(again as Thing)).to.equal(true)
    expect(session.root.delete(again as Thing)).to.equal(false)
    await session.close()
  })

  it('takes adding what is there for no change', async () => {
    const session = await Session.start(() => new PersistentSet(['a']), [PersistentSet])
    session.root.add('a')
    session.root.delete('b')
    expect(session.connection.statistics.changed).to.equal(0)
    await session.close()
  })

  it('is shown as a Set', () => {
    const set = new PersistentSet(['a'])
    const calls: unknown[] = []
    set.forEach((...args) => {
      calls.push(...args)
    })
    expect(calls).to.deep.equal(['a', 'a', set])
    expect(inspect(set)).to.equal("PersistentSet(1) { 'a' }")
    expect(JSON.stringify(set)).to.equal('["a"]')
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { BTree, type BTreeRange } from '../../src/collections/btree.js'
import { BTreeCounter } from '../../src/collections/btree-counter.js'
import { type BTreeKey, compareKeys } from '../../src/collections/btree-key.js'
import { BTreeNode } from '../../src/collections/btree-node.js'
import { checkStructure } from '../support/btree-structure.js'
import { Session, type Turn } from '../support/session.js'

type Command =
  | { kind: 'set'; key: number; value: number }
  | { kind: 'delete' | 'get'; key: number }
  | { kind: 'run'; from: number; length: number; step: number; remove: boolean }
  | { kind: 'range'; range: BTreeRange<number> }
  | { kind: 'clear' }
  | { kind: 'turn'; turn: Turn }

const KEYS = 120
const key = fc.nat(KEYS)
const flag = fc.boolean()
const optionalKey = fc.option(key, { nil: undefined })

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('set' as const), key, value: fc.nat(9) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('delete' as const, 'get' as const), key }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      from: key,
      length: fc.nat(40),
      step: fc.constantFrom(-1, 1, 7),
      remove: flag,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('range' as const),
      range: fc
        .record({ from: optionalKey, to: optionalKey, fromExclusive: flag, toInclusive: flag, reverse: flag })
        .map((range) => range as BTreeRange<number>),
    }),
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

/** A sorted map that is plainly right. */
class Model {
  entries = new Map<number, number>()
  committed = new Map<number, number>()

  sorted(range: BTreeRange<number> = {}): [number, number][] {
    const { from = -KEYS, to = KEYS * 1000, fromExclusive, toInclusive, reverse } = range
    const found = [...this.entries]
      .filter(([k]) => (fromExclusive ? k > from : k >= from) && (toInclusive ? k <= to : k < to))
      .sort(([a], [b]) => a - b)
    return reverse ? found.reverse() : found
  }
}

function apply(tree: BTree<number, number>, model: Model, command: Exclude<Command, { kind: 'turn' }>): void {
  switch (command.kind) {
    case 'set':
      tree.set(command.key, command.value)
      model.entries.set(command.key, command.value)
      break
    case 'delete':
      expect(tree.delete(command.key)).to.equal(model.entries.delete(command.key))
      break
    case 'get':
      expect(tree.get(command.key)).to.equal(model.entries.get(command.key))
      expect(tree.has(command.key)).to.equal(model.entries.has(command.key))
      break
    case 'run':
      for (let i = 0, k = command.from; i < command.length; i++, k += command.step) {
        if (command.remove) expect(tree.delete(k)).to.equal(model.entries.delete(k))
        else {
          tree.set(k, i)
          model.entries.set(k, i)
        }
      }
      break
    case 'range':
      expect([...tree.entries(command.range)]).to.deep.equal(model.sorted(command.range))
      break
    case 'clear':
      tree.clear()
      model.entries.clear()
  }
}

async function runModel(size: number, cacheSize: number, commands: readonly Command[]): Promise<void> {
  const createRoot = () => new BTree<number, number>(null, { nodeSize: size })
  const session = await Session.start(createRoot, [BTree, BTreeNode, BTreeCounter], { cacheSize })
  const model = new Model()
  try {
    for (const command of commands) {
      if (command.kind === 'turn') {
        await session.take(command.turn)
        if (command.turn === 'abort') model.entries = new Map(model.committed)
        else model.committed = new Map(model.entries)
      } else apply(session.root, model, command)
      checkStructure(session.root, size)
      expect(session.root.size).to.equal(model.entries.size)
      expect(session.root.first()).to.deep.equal(model.sorted()[0])
      expect(session.root.lastKey()).to.equal(model.sorted().at(-1)?.[0])
    }
    expect([...session.root]).to.deep.equal(model.sorted())
    expect([...session.root.keys({ reverse: true })]).to.deep.equal(model.sorted({ reverse: true }).map(([k]) => k))
    await emptyOut(session, model, size)
  } finally {
    await session.close()
  }
}

/** Deletes the rest in some order, down to the last entry. */
async function emptyOut(session: Session<BTree<number, number>>, model: Model, size: number): Promise<void> {
  const rest = [...model.entries.keys()]
  for (const [i, k] of rest.entries()) {
    expect(session.root.delete(k)).to.equal(true)
    if (i % 10 === 0) await session.take('commit')
    checkStructure(session.root, size)
  }
  expect(session.root.size).to.equal(0)
  expect(session.root.first()).to.equal(undefined)
  await session.take('reload')
  expect([...session.root]).to.deep.equal([])
}

describe('BTree against a sorted array', () => {
  for (const size of [3, 4, 5, 6, 7, 8, 16, 64]) {
    it(`does the same with nodes of ${size}`, async () => {
      const program = fc.array(command, { maxLength: 60, size: 'max' })
      const property = fc.asyncProperty(program, fc.integer({ min: 1, max: 8 }), (commands, cacheSize) =>
        runModel(size, cacheSize, commands),
      )
      await fc.assert(property, { numRuns: 40 })
    })
  }
})

describe('compareKeys', () => {
  const leaf: fc.Arbitrary<BTreeKey> = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer({ min: -3, max: 3 }),
    fc.bigInt({ min: -3n, max: 3n }),
    fc.date({ noInvalidDate: true }),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  const { anyKey } = fc.letrec<{ anyKey: BTreeKey }>((tie) => ({
    anyKey: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie('anyKey'), { maxLength: 3 })),
  }))

  it('is a total order', () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyKey, (a, b, c) => {
        expect(compareKeys(a, a)).to.equal(0)
        expect(Math.sign(compareKeys(a, b))).to.equal(-Math.sign(compareKeys(b, a)) + 0)
        if (compareKeys(a, b) <= 0 && compareKeys(b, c) <= 0) expect(compareKeys(a, c)).to.be.at.most(0)
      }),
    )
  })

  it('orders a tree of mixed keys, through a commit', async () => {
    const program = fc.asyncProperty(fc.uniqueArray(anyKey, { comparator: (a, b) => compareKeys(a, b) === 0 }), run)
    async function run(keys: BTreeKey[]): Promise<void> {
      const session = await Session.start(() => new BTree(), [BTree, BTreeNode, BTreeCounter])
      for (const k of keys) session.root.set(k, k)
      await session.take('reload')
      const sorted = [...keys].sort(compareKeys).map((k) => (Object.is(k, -0) ? 0 : k))
      expect([...session.root.keys()].map(normal)).to.deep.equal(sorted.map(normal))
      for (const k of keys) expect(session.root.has(k)).to.equal(true)
      await session.close()
    }
    await fc.assert(program, { numRuns: 30 })
  })

  function normal(k: BTreeKey): unknown {
    return Array.isArray(k) ? k.map(normal) : Object.is(k, -0) ? 0 : k
  }
})

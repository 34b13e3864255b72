import { expect } from 'chai'
import fc from 'fast-check'
import type { Connection } from '../../src/core/connection.js'
import { ConflictError } from '../../src/core/errors.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'

/*
 * Random transactions on three connections with tiny caches, against a model that knows nothing of caches, ghosts
 * or references: it copies the whole database for each transaction and compares versions at commit.
 */

class Node extends Persistent {
  value = 0
  list: number[] = []
  index = new Map<string, number>()
  other: Node | undefined
}

const NAMES = ['a', 'b', 'c', 'd'] as const
type Name = (typeof NAMES)[number]

interface ModelNode {
  value: number
  list: number[]
  index: [string, number][]
  other: number | undefined
}

/** Objects by a number of the model's own; number 0 is the root, kept as a table of names. */
interface ModelState {
  names: Map<Name, number>
  nodes: Map<number, ModelNode>
}

const ROOT = 0

class ModelDatabase {
  state: ModelState = { names: new Map(), nodes: new Map() }
  versions = new Map<number, number>()
  version = 0
  nextId = 1
}

class ModelConnection {
  readonly db: ModelDatabase
  #base: { state: ModelState; version: number } | undefined
  readonly #reads = new Set<number>()
  readonly #writes = new Set<number>()

  constructor(db: ModelDatabase) {
    this.db = db
  }

  get state(): ModelState {
    this.#base ??= { state: structuredClone(this.db.state), version: this.db.version }
    return this.#base.state
  }

  read(id: number): void {
    void this.state
    this.#reads.add(id)
  }

  write(id: number): void {
    this.read(id)
    this.#writes.add(id)
  }

  /** True if it goes through. */
  commit(): boolean {
    const { state } = this
    const base = this.#base?.version as number
    if (this.#writes.size === 0) {
      this.abort()
      return true
    }
    if ([...this.#reads].some((id) => (this.db.versions.get(id) ?? 0) > base)) return false
    this.db.version++
    for (const id of this.#writes) {
      this.db.versions.set(id, this.db.version)
      if (id === ROOT) this.db.state.names = structuredClone(state.names)
      else this.db.state.nodes.set(id, structuredClone(state.nodes.get(id) as ModelNode))
    }
    this.abort()
    return true
  }

  abort(): void {
    this.#base = undefined
    this.#reads.clear()
    this.#writes.clear()
  }
}

interface Pair {
  model: ModelConnection
  real: Connection<Root>
}

type Step = (pair: Pair, name: Name, amount: number) => Promise<void> | void

function node({ model, real }: Pair, name: Name): { id: number; model: ModelNode; real: Node } | undefined {
  model.read(ROOT)
  const id = model.state.names.get(name)
  const found = real.root[name] as Node | undefined
  expect(found === undefined).to.equal(id === undefined)
  if (id === undefined || found === undefined) return undefined
  return { id, model: model.state.nodes.get(id) as ModelNode, real: found }
}

const steps: Record<string, Step> = {
  create(pair, name, amount) {
    const id = pair.model.db.nextId++
    pair.model.write(ROOT)
    pair.model.state.names.set(name, id)
    pair.model.state.nodes.set(id, { value: amount, list: [], index: [], other: undefined })
    pair.model.write(id)
    pair.real.root[name] = Object.assign(new Node(), { value: amount })
  },
  remove(pair, name) {
    if (node(pair, name) === undefined) return
    pair.model.write(ROOT)
    pair.model.state.names.delete(name)
    delete pair.real.root[name]
  },
  look(pair, name) {
    const found = node(pair, name)
    if (found === undefined) return
    pair.model.read(found.id)
    expect(found.real.value).to.equal(found.model.value)
    expect([...found.real.list]).to.deep.equal(found.model.list)
    expect([...found.real.index]).to.deep.equal(found.model.index)
  },
  follow(pair, name) {
    const found = node(pair, name)
    if (found === undefined) return
    pair.model.read(found.id)
    const id = found.model.other
    expect(found.real.other === undefined).to.equal(id === undefined)
    if (id === undefined || found.real.other === undefined) return
    pair.model.read(id)
    expect(found.real.other.value).to.equal(pair.model.state.nodes.get(id)?.value)
  },
  add(pair, name, amount) {
    const found = node(pair, name)
    if (found === undefined || amount === 0) return
    pair.model.write(found.id)
    found.model.value += amount
    found.real.value += amount
  },
  push(pair, name, amount) {
    const found = node(pair, name)
    if (found === undefined) return
    pair.model.write(found.id)
    found.model.list.push(amount)
    found.real.list.push(amount)
  },
  index(pair, name, amount) {
    const found = node(pair, name)
    if (found === undefined) return
    pair.model.write(found.id)
    const index = new Map(found.model.index).set(`k${amount % 3}`, amount)
    found.model.index = [...index]
    found.real.index.set(`k${amount % 3}`, amount)
  },
  link(pair, name, amount) {
    const from = node(pair, name)
    const to = node(pair, NAMES[Math.abs(amount) % NAMES.length] as Name)
    if (from === undefined || to === undefined) return
    pair.model.write(from.id)
    from.model.other = to.id
    from.real.other = to.real
  },
  async commit({ model, real }) {
    const expected = model.commit()
    let committed = true
    try {
      await real.commit()
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      committed = false
      real.abort()
      model.abort()
    }
    expect(committed).to.equal(expected)
  },
  abort({ model, real }) {
    model.abort()
    real.abort()
  },
}

const step = fc.record({
  connection: fc.integer({ min: 0, max: 2 }),
  name: fc.constantFrom(...NAMES),
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...Object.keys(steps)) },
    { weight: 1, arbitrary: fc.constant('commit') },
  ),
  amount: fc.integer({ min: -5, max: 5 }),
})

describe('connections, against a model', () => {
  for (const cacheSize of [1, 2, 100]) {
    it(`read, change, commit, abort and conflict as it says, with cacheSize ${cacheSize}`, async function () {
      this.timeout(60_000)
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (program) => {
          const db = await memoryDatabase([Node], { cacheSize })
          const model = new ModelDatabase()
          const pairs: Pair[] = []
          for (let i = 0; i < 3; i++) pairs.push({ model: new ModelConnection(model), real: await db.connect() })
          for (const { connection, name, kind, amount } of program) {
            await steps[kind]?.(pairs[connection] as Pair, name, amount)
          }
          const last = { model: new ModelConnection(model), real: await db.connect() }
          for (const name of NAMES) {
            await steps['look']?.(last, name, 0)
            await steps['follow']?.(last, name, 0)
          }
          await db.close()
        }),
        { numRuns: 150 },
      )
    })
  }
})

import { expect } from 'chai'
import fc from 'fast-check'
import type { Connection } from '../../src/core/connection.js'
import { ConflictError } from '../../src/core/errors.js'
import { Persistent } from '../../src/core/persistent.js'
import type { Storage } from '../../src/core/storage.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
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

  get writes(): boolean {
    return this.#writes.size > 0
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

/** Commits on several connections at once. Their order is that of the calls. */
async function commit(pairs: readonly Pair[]): Promise<void> {
  const commits = pairs.map(({ model, real }) => {
    const { state, writes } = model
    const expected = model.commit()
    const committed = real.commit().then(
      () => true,
      (error: unknown) => {
        if (error instanceof ConflictError) return false
        throw error
      },
    )
    // Without changes the transaction has ended, and reading would begin the next one.
    if (writes) expectContents(real, state)
    return { model, real, expected, committed }
  })
  for (const { model, real, expected, committed } of commits) {
    expect(await committed).to.equal(expected)
    if (expected) continue
    real.abort()
    model.abort()
  }
}

/** What a connection shows while its commit is under way must be what it is committing. */
function expectContents(real: Connection<Root>, { names, nodes }: ModelState): void {
  for (const name of NAMES) {
    const found = real.root[name] as Node | undefined
    const expected = nodes.get(names.get(name) as number)
    expect(found?.value).to.equal(expected?.value)
    expect(found && [...found.list]).to.deep.equal(expected?.list)
  }
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
  commit: (pair) => commit([pair]),
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
    { weight: 1, arbitrary: fc.constantFrom('commit', 'commit together') },
  ),
  amount: fc.integer({ min: -5, max: 5 }),
})

type Command = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Variant {
  readonly name: string
  readonly cacheSizes: readonly number[]
  readonly runs: number
  open(): Promise<Storage> | Storage
}

class ForgetfulStorage extends MemoryStorage {
  override changes(): undefined {
    return undefined
  }
}

const variants: readonly Variant[] = [
  { name: 'MemoryStorage', cacheSizes: [1, 2, 100], runs: 150, open: () => new MemoryStorage() },
  {
    name: 'a storage that never knows what has changed',
    cacheSizes: [1, 100],
    runs: 75,
    open: () => new ForgetfulStorage(),
  },
  {
    name: 'FileStorage',
    cacheSizes: [1, 100],
    runs: 25,
    open: () => FileStorage.open(undefined, { durability: 'os' }),
  },
]

async function run(program: readonly Command[], storage: Storage, cacheSize: number): Promise<void> {
  const db = await memoryDatabase([Node], { cacheSize }, storage)
  try {
    const model = new ModelDatabase()
    const pairs: Pair[] = []
    for (let i = 0; i < 3; i++) pairs.push({ model: new ModelConnection(model), real: await db.connect() })
    for (const { connection, name, kind, amount } of program) {
      const pair = pairs[connection] as Pair
      if (kind === 'commit together') await commit([pair, pairs[(connection + 1) % 3] as Pair])
      else await steps[kind]?.(pair, name, amount)
    }
    const last = { model: new ModelConnection(model), real: await db.connect() }
    for (const name of NAMES) {
      await steps['look']?.(last, name, 0)
      await steps['follow']?.(last, name, 0)
    }
  } finally {
    await db.close()
  }
}

describe('connections, against a model', () => {
  for (const { name, cacheSizes, runs, open } of variants) {
    for (const cacheSize of cacheSizes) {
      it(`read, change, commit, abort and conflict as it says, on ${name} with cacheSize ${cacheSize}`, async function () {
        this.timeout(60_000)
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (program) =>
            run(program, await open(), cacheSize),
          ),
          { numRuns: runs },
        )
      })
    }
  }
})

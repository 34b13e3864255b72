import { expect } from 'chai'
import type { Database } from '../../../src/core/database.js'
import { census } from '../../../src/core/diagnostics/census.js'
import { largest } from '../../../src/core/diagnostics/largest.js'
import { referrers } from '../../../src/core/diagnostics/referrers.js'
import type { DiagnosticOptions, DiagnosticProgress } from '../../../src/core/diagnostics/scan-storage.js'
import { UnreachableObjects } from '../../../src/core/diagnostics/unreachable.js'
import type { Oid, Tid } from '../../../src/core/oid.js'
import { encodeRecord } from '../../../src/core/record.js'
import { Reference } from '../../../src/core/reference.js'
import type { RecordBatch, Snapshot, Storage } from '../../../src/core/storage.js'
import { open } from '../../../src/open.js'
import { FileStorage } from '../../../src/storages/file.js'
import { MemoryStorage } from '../../../src/storages/memory.js'
import { Random, runSeed } from '../../../src/testing/random.js'
import { DelegatingStorage } from '../../isolation/delegating-storage.js'

/** What the trivial model knows of an object. */
interface Thing {
  readonly oid: Oid
  readonly className: string
  readonly tid: Tid
  readonly bytes: number
  readonly references: readonly Oid[]
}

type State = ReadonlyMap<Oid, Thing>

/** Keeps every state, counts who looks at it, and how many batches are asked for. */
class ObservedStorage extends DelegatingStorage {
  readonly states: State[] = [new Map()]
  readonly #snapshots: Snapshot[] = [this.inner.snapshot()]
  open = 0
  batches = 0

  /** Makes a transaction of the same objects in storage and model. */
  async write(things: readonly Omit<Thing, 'tid' | 'bytes'>[], stateBytes: () => number): Promise<void> {
    const tid = this.states.length
    const state = new Map(this.states.at(-1))
    const writes = things.map(({ oid, className, references }) => {
      const targets = references.map((target) => new Reference(target, 'Any'))
      const data = encodeRecord(className, targets, new Uint8Array(stateBytes()))
      state.set(oid, { oid, className, references, tid, bytes: data.length })
      return { oid, data }
    })
    const result = await this.inner.commit({ base: tid - 1, reads: [], writes })
    expect(result.tid).to.equal(tid)
    this.states.push(state)
    this.#snapshots.push(this.inner.snapshot())
  }

  /** Lets a pack remove what only past states had. */
  forgetPast(): void {
    for (const snapshot of this.#snapshots) snapshot.release()
  }

  override snapshot(): Snapshot {
    return this.#observe(this.inner.snapshot(), true)
  }

  override async snapshotAt(at: Tid): Promise<Snapshot> {
    if (this.inner.capabilities.has('history')) return this.#observe(await this.inner.snapshotAt(at), true)
    return this.#observe(this.#snapshots[at] as Snapshot, false)
  }

  #observe(snapshot: Snapshot, owned: boolean): Snapshot {
    this.open++
    return {
      tid: snapshot.tid,
      load: (oid) => snapshot.load(oid),
      loadMany: (oids) => snapshot.loadMany(oids),
      records: () => snapshot.records(),
      scan: () => this.#count(snapshot.scan()),
      release: () => {
        this.open--
        if (owned) snapshot.release()
      },
    }
  }

  async *#count(scan: AsyncIterable<RecordBatch>): AsyncGenerator<RecordBatch> {
    for await (const batch of scan) {
      this.batches++
      yield batch
    }
  }
}

/** A graph of some components, with cycles, garbage, objects that refer twice, and updates that cut parts off. */
async function randomStorage(inner: Storage, random: Random, objects = 300): Promise<ObservedStorage> {
  const storage = new ObservedStorage(inner)
  const first = inner.allocateOids(objects)
  const oids = [0, ...Array.from({ length: objects }, (_, i) => first + i)]
  const thing = (oid: Oid) => ({
    oid,
    className: random.pick(['Leaf', 'Tree', 'Wald \u{1f332}']),
    references: Array.from({ length: random.below(3) }, () => random.pick(oids)),
  })
  const stateBytes = () => random.below(60)
  await storage.write(oids.map(thing), stateBytes)
  for (let round = 0; round < 6; round++) {
    const changed = new Set(Array.from({ length: 1 + random.below(60) }, () => random.pick(oids)))
    await storage.write([...changed, ...(round % 2 === 0 ? [] : [0])].filter(unique).map(thing), stateBytes)
  }
  return storage
}

function unique(oid: Oid, position: number, all: readonly Oid[]): boolean {
  return all.indexOf(oid) === position
}

const STORAGES: readonly (readonly [name: string, create: () => Promise<Storage>])[] = [
  ['a MemoryStorage', async () => new MemoryStorage()],
  ['a FileStorage', () => FileStorage.open(undefined, { durability: 'os' })],
]

for (const [name, create] of STORAGES) {
  describe(`Diagnostics of ${name}`, () => {
    const seed = runSeed()
    let inner: Storage
    let storage: ObservedStorage

    beforeEach(async () => {
      inner = await create()
      storage = await randomStorage(inner, new Random(seed))
    })

    afterEach(async () => {
      expect(storage.open, 'snapshots that were not released').to.equal(0)
      await inner.close()
    })

    /** Calls `check` with the newest state, and with each of the past. */
    async function atEach(check: (state: State, options: DiagnosticOptions) => Promise<void>): Promise<void> {
      try {
        await check(storage.states.at(-1) as State, {})
        for (const [at, state] of storage.states.entries()) await check(state, { at })
      } catch (error) {
        ;(error as Error).message += ` (to repeat, set PERDURE_SEED=${seed})`
        throw error
      }
    }

    it('census counts objects and bytes by class', () =>
      atEach(async (state, options) => {
        const counts = await census(storage, options)
        const things = [...state.values()]
        const names = [...new Set(things.map(({ className }) => className))]
        const expected = names.map((name) => {
          const ofClass = things.filter(({ className }) => className === name)
          return { className: name, objects: ofClass.length, bytes: sum(ofClass) }
        })
        expect(counts).to.have.deep.members(expected)
        expect(counts.map(({ bytes }) => bytes)).to.deep.equal(expected.map(({ bytes }) => bytes).sort(descending))
      }))

    it('largest gives the largest, in order', () =>
      atEach(async (state, options) => {
        for (const count of [1, 7, 1000]) {
          const expected = [...state.values()]
            .sort((a, b) => b.bytes - a.bytes || a.oid - b.oid)
            .slice(0, count)
            .map(({ references: _, ...summary }) => summary)
          expect(await largest(storage, count, options)).to.deep.equal(expected)
        }
      }))

    it('referrers gives all objects that refer to one, each once', () =>
      atEach(async (state, options) => {
        for (const oid of [0, ...[...state.keys()].slice(0, 12), 10 ** 9]) {
          const expected = [...state.values()]
            .filter(({ references }) => references.includes(oid))
            .map(({ references: _, ...summary }) => summary)
          expect(await collect(referrers(storage, oid, options))).to.have.deep.members(expected)
        }
      }))

    it('unreachable gives what cannot be reached from the root', () =>
      atEach(async (state, options) => {
        const reached = reachable(state)
        const lost = [...state.values()].filter(({ oid }) => !reached.has(oid))
        const unreachable = new UnreachableObjects(storage, options)
        const expected = lost
          .map(({ oid, className, bytes }) => ({ oid, className, bytes }))
          .sort((a, b) => a.oid - b.oid)
        expect(await collect(unreachable)).to.deep.equal(expected)
        expect(await unreachable.totals()).to.deep.equal({
          objects: lost.length,
          bytes: sum(lost),
          objectsTotal: state.size,
          bytesTotal: sum([...state.values()]),
        })
      }))

    it('unreachable is what a pack removes', async () => {
      const { objects, objectsTotal } = await new UnreachableObjects(storage).totals()
      expect(objects).to.be.greaterThan(0)
      storage.forgetPast()
      const { objectsBefore, objectsAfter } = await inner.pack()
      expect([objectsBefore, objectsAfter]).to.deep.equal([objectsTotal, objectsTotal - objects])
      const left = await new UnreachableObjects(storage).totals()
      expect([left.objects, left.bytes, left.objectsTotal]).to.deep.equal([0, 0, objectsAfter])
    })

    it('unreachable looks at one state, once', async () => {
      const unreachable = new UnreachableObjects(storage)
      const before = await unreachable.totals()
      await storage.write([{ oid: 0, className: 'Root', references: [] }], () => 0)
      const { batches } = storage
      expect(await unreachable.totals()).to.deep.equal(before)
      expect(await collect(unreachable)).to.have.length(before.objects)
      expect(storage.batches).to.equal(batches)
      expect((await new UnreachableObjects(storage).totals()).objects).to.equal(before.objectsTotal - 1)
    })
  })
}

describe('Diagnostics', () => {
  let inner: Storage
  let storage: ObservedStorage

  beforeEach(async () => {
    inner = new MemoryStorage()
    storage = await randomStorage(inner, new Random(1), 20_000)
    storage.batches = 0
  })

  afterEach(() => inner.close())

  const each: readonly (readonly [string, (options: DiagnosticOptions) => Promise<unknown>])[] = [
    ['census', (options) => census(storage, options)],
    ['largest', (options) => largest(storage, 3, options)],
    ['referrers', (options) => collect(referrers(storage, 1, options))],
    ['unreachable', (options) => new UnreachableObjects(storage, options).totals()],
  ]

  for (const [name, run] of each) {
    it(`${name} stops when told, with the reason given, and lets the snapshot go`, async () => {
      const reason = new Error('enough')
      const never = await run({ signal: AbortSignal.abort(reason) }).catch((error: unknown) => error)
      expect([never, storage.batches]).to.deep.equal([reason, 0])
      const controller = new AbortController()
      const onProgress = () => controller.abort(reason)
      const outcome = await run({ signal: controller.signal, onProgress }).catch((error: unknown) => error)
      expect([outcome, storage.batches, storage.open]).to.deep.equal([reason, 2, 0])
    })

    it(`${name} tells how far it has come`, async () => {
      const steps: DiagnosticProgress[] = []
      await run({ onProgress: (progress) => void steps.push(progress) })
      const scan = steps.filter(({ phase }) => phase === 'scan')
      expect(scan).to.have.length(storage.batches)
      const all = [...(storage.states.at(-1) as State).values()]
      expect(scan.at(-1)).to.deep.equal({ phase: 'scan', objects: all.length, bytes: sum(all) })
    })

    it(`${name} passes on that the storage shows no past`, async () => {
      storage.snapshotAt = (at) => inner.snapshotAt(at)
      expect(await run({ at: 1 }).catch((error: { code: string }) => error.code)).to.equal('PERDURE_UNSUPPORTED')
    })
  }

  it('referrers can be left early, and reads no further', async () => {
    const { oid, target } = firstReference(storage)
    for await (const found of referrers(storage, target)) {
      expect(found.oid).to.equal(oid)
      break
    }
    expect(storage.batches).to.equal(1)
    expect(storage.open).to.equal(0)
  })

  it('referrers refuses what is no oid', async () => {
    for (const oid of [-1, 1.5, Number.NaN, '1', undefined]) {
      const error = await collect(referrers(storage, oid as number)).catch((reason: unknown) => reason)
      expect(error, String(oid)).to.have.property('code', 'PERDURE_ARGUMENT')
    }
    expect(storage.batches).to.equal(0)
  })

  it('unreachable can be stopped while references are followed', async () => {
    // A chain: one object after the other is reached.
    const count = 40_000
    const first = inner.allocateOids(count)
    const chain = Array.from({ length: count }, (_, i) => ({
      oid: first + i,
      className: 'Link',
      references: [first + i + 1],
    }))
    chain[count - 1] = { oid: first + count - 1, className: 'Link', references: [] }
    await storage.write([{ oid: 0, className: 'Root', references: [first] }, ...chain], () => 0)
    const controller = new AbortController()
    const reason = new Error('enough')
    const reached: number[] = []
    const unreachable = new UnreachableObjects(storage, {
      signal: controller.signal,
      onProgress: ({ phase, objects }) => {
        if (phase === 'mark') controller.abort(reason)
        if (phase === 'mark') reached.push(objects)
      },
    })
    expect(await unreachable.totals().catch((error: unknown) => error)).to.equal(reason)
    expect(reached).to.have.length(1)
    expect(reached[0]).to.be.lessThan(count)
  })

  it('largest refuses a count that makes no sense', async () => {
    for (const count of [0, -1, 1.5, Number.NaN, 1_000_001]) {
      const outcome = await largest(storage, count).catch((error: { code: string }) => error.code)
      expect(outcome, `${count}`).to.equal('PERDURE_ARGUMENT')
    }
  })

  it('can all be asked of a database, until it is closed', async () => {
    const db: Database = (await open(inner)) as unknown as Database
    const [{ className } = { className: '' }] = await db.census()
    expect(className).to.not.equal('')
    expect(await db.largest(2)).to.have.length(2)
    expect((await db.referrers(firstReference(storage).target).next()).done).to.equal(false)
    expect((await db.unreachable().totals()).objectsTotal).to.equal(20_001)
    await db.close()
    expect(() => db.unreachable())
      .to.throw()
      .with.property('code', 'PERDURE_CLOSED')
    expect(() => db.referrers(0))
      .to.throw()
      .with.property('code', 'PERDURE_CLOSED')
    for (const asked of [db.census(), db.largest(1)]) {
      expect(await asked.catch((error: { code: string }) => error.code)).to.equal('PERDURE_CLOSED')
    }
  })
})

/** The first object that refers to anything. */
function firstReference({ states }: ObservedStorage): { oid: Oid; target: Oid } {
  for (const { oid, references } of states.at(-1)?.values() ?? []) {
    const [target] = references
    if (target !== undefined) return { oid, target }
  }
  throw new Error('nothing refers to anything')
}

function reachable(state: State): Set<Oid> {
  const found = new Set<Oid>()
  const follow = (oid: Oid): void => {
    if (found.has(oid) || !state.has(oid)) return
    found.add(oid)
    for (const target of state.get(oid)?.references ?? []) follow(target)
  }
  follow(0)
  return found
}

function sum(things: readonly { readonly bytes: number }[]): number {
  return things.reduce((total, { bytes }) => total + bytes, 0)
}

function descending(a: number, b: number): number {
  return b - a
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const one of all) list.push(one)
  return list
}

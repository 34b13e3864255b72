import assert from 'node:assert/strict'
import { PerdureError } from '../core/errors.js'
import { type Oid, ROOT_OID, type Tid } from '../core/oid.js'
import type { CommitRequest, CommitResult, Snapshot, Storage, StoredRecord } from '../core/storage.js'
import { assertChanges, atNewest, textOf, write } from './suite-context.js'

/** How many objects a program works on. Object 0 is the root. */
export const MODEL_OBJECTS = 8

/** One transaction of a program. Objects are positions below {@link MODEL_OBJECTS}. */
export interface ModelTransaction {
  /** Which of the held snapshots it reads at, counted round and round; -1 for one taken just before. */
  readonly snapshot: number
  readonly reads: readonly number[]
  readonly writes: readonly { readonly object: number; readonly references: readonly number[] }[]
  /** Whether it may refer to objects that do not exist. Such references are left out of all others. */
  readonly dangling: boolean
}

/** One step of a program: plain data, so that a property test can generate and shrink it. */
export type ModelCommand =
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'release'; readonly snapshot: number }
  | { readonly kind: 'read'; readonly snapshot: number }
  | { readonly kind: 'commit'; readonly together: readonly ModelTransaction[] }
  | { readonly kind: 'changes'; readonly after: number; readonly span: number }
  | { readonly kind: 'pack' }
  | { readonly kind: 'reopen' }

interface ModelRecord {
  readonly tid: Tid
  readonly text: string
  readonly references: readonly Oid[]
}

interface HeldSnapshot {
  readonly snapshot: Snapshot
  readonly state: ReadonlyMap<Oid, ModelRecord>
}

export interface ModelOptions {
  readonly reopen?: ((closed: Storage) => Promise<Storage>) | undefined
}

/**
 * Runs a program against a new storage and against a trivial model of it, a Map that is copied for each snapshot,
 * and insists that they agree in everything they answer.
 */
export async function runModel(
  storage: Storage,
  program: readonly ModelCommand[],
  options: ModelOptions = {},
): Promise<void> {
  const model = new StorageModel(storage, options)
  for (const command of program) await model.run(command)
  await model.finish()
}

class StorageModel {
  #storage: Storage
  readonly #options: ModelOptions
  /** The newest state. */
  readonly #newest = new Map<Oid, ModelRecord>()
  /** Objects that a pack has removed. Nothing is done to them any more. */
  readonly #removed = new Set<Oid>()
  /** The oids written or removed by each transaction, from tid 1. */
  readonly #written: Oid[][] = []
  /** The oid of each object of the program. One that was packed away gets another. */
  readonly #oids: Oid[] = [ROOT_OID]
  readonly #held: HeldSnapshot[] = []
  #texts = 0

  constructor(storage: Storage, options: ModelOptions) {
    this.#storage = storage
    this.#options = options
    for (let i = 1; i < MODEL_OBJECTS; i++) this.#oids.push(storage.allocateOids(1))
  }

  async run(command: ModelCommand): Promise<void> {
    switch (command.kind) {
      case 'snapshot':
        return this.#hold()
      case 'release':
        return this.#release(command.snapshot)
      case 'read':
        return await this.#read(this.#snapshot(command.snapshot))
      case 'commit':
        return await this.#commit(command.together)
      case 'changes':
        return this.#changes(command.after, command.span)
      case 'pack':
        return await this.#pack()
      case 'reopen':
        return await this.#reopen()
    }
  }

  async finish(): Promise<void> {
    this.#hold()
    for (const held of this.#held) await this.#read(held)
    this.#releaseAll()
    assert.equal(this.#storage.statistics().tid, this.#written.length)
  }

  #hold(): void {
    const snapshot = this.#storage.snapshot()
    assert.equal(snapshot.tid, this.#written.length)
    this.#held.push({ snapshot, state: new Map(this.#newest) })
  }

  #snapshot(number: number): HeldSnapshot {
    if (number < 0 || this.#held.length === 0) this.#hold()
    return this.#held.at(number < 0 ? -1 : number % this.#held.length) as HeldSnapshot
  }

  #release(number: number): void {
    const [held] = this.#held.splice(number % Math.max(1, this.#held.length), 1)
    held?.snapshot.release()
  }

  #releaseAll(): void {
    for (const held of this.#held.splice(0)) held.snapshot.release()
  }

  async #read(held: HeldSnapshot): Promise<void> {
    const { snapshot, state } = held
    const many = await snapshot.loadMany(this.#oids)
    for (const [at, oid] of this.#oids.entries()) {
      this.#compare(held, oid, snapshot.load(oid))
      this.#compare(held, oid, many[at])
    }
    const seen = new Set<Oid>()
    for await (const record of snapshot.records()) {
      assert.ok(!seen.has(record.oid), `object ${record.oid} is listed twice`)
      seen.add(record.oid)
      assert.ok(state.has(record.oid), `object ${record.oid} is not in snapshot ${snapshot.tid}`)
      this.#compare(held, record.oid, record)
    }
    for (const oid of state.keys()) if (!seen.has(oid)) this.#compare(held, oid, undefined)
  }

  #compare({ snapshot, state }: HeldSnapshot, oid: Oid, record: StoredRecord | undefined): void {
    const expected = state.get(oid)
    const got = record && { oid: record.oid, tid: record.tid, text: textOf(record) }
    const wanted = expected && { oid, tid: expected.tid, text: expected.text }
    assert.deepEqual(got, wanted, `object ${oid} at snapshot ${snapshot.tid}`)
  }

  /** Transactions that are committed without waiting for each other are validated in the order of the calls. */
  async #commit(transactions: readonly ModelTransaction[]): Promise<void> {
    const requests = transactions.map((transaction) => this.#request(transaction))
    const pending = requests.map(({ request }) => this.#storage.commit(request).then(simplify, codeOf))
    const expected = requests.map(({ request, records }) => this.#apply(request, records))
    for (const [at, result] of (await Promise.all(pending)).entries()) {
      assert.deepEqual(result, expected[at], `result of commit ${at}`)
    }
  }

  #request(transaction: ModelTransaction) {
    const base = this.#snapshot(transaction.snapshot).snapshot.tid
    const reads = transaction.reads.map((object) => this.#oid(object)).filter((oid) => !this.#removed.has(oid))
    const records = new Map<Oid, Omit<ModelRecord, 'tid'>>()
    for (const { object } of transaction.writes) {
      if (this.#removed.has(this.#oid(object))) this.#oids[object] = this.#storage.allocateOids(1)
    }
    const written = new Set(transaction.writes.map(({ object }) => this.#oid(object)))
    const mayReferTo = (oid: Oid) =>
      !this.#removed.has(oid) && (transaction.dangling || written.has(oid) || this.#newest.has(oid))
    for (const { object, references } of transaction.writes) {
      const targets = references.map((target) => this.#oid(target)).filter(mayReferTo)
      records.set(this.#oid(object), { text: `text ${this.#texts++}`, references: targets })
    }
    const writes = Array.from(records, ([oid, { text, references }]) => write(oid, text, references))
    return { request: { base, reads, writes } satisfies CommitRequest, records }
  }

  #oid(object: number): Oid {
    return this.#oids[object] as Oid
  }

  #apply({ base, reads }: CommitRequest, records: ReadonlyMap<Oid, Omit<ModelRecord, 'tid'>>) {
    const conflicts = new Map<Oid, Tid>()
    for (const oid of [...reads, ...records.keys()]) {
      const tid = this.#newest.get(oid)?.tid ?? 0
      if (tid > base) conflicts.set(oid, tid)
    }
    if (conflicts.size > 0) return { conflicts: [...conflicts].sort(byOid) }
    if (records.size === 0) return { tid: base }
    const targets = [...records.values()].flatMap(({ references }) => references)
    if (targets.some((oid) => !records.has(oid) && !this.#newest.has(oid))) return { code: 'PERDURE_OBJECT_MISSING' }
    this.#written.push([...records.keys()])
    const tid = this.#written.length
    for (const [oid, record] of records) this.#newest.set(oid, { tid, ...record })
    return { tid }
  }

  #changes(after: number, span: number): void {
    const from = after % (this.#written.length + 1)
    const upTo = Math.min(from + span, this.#written.length)
    assertChanges(this.#storage, from, upTo, this.#written.slice(from, upTo).flat())
  }

  /** A pack must keep what the newest state reaches, and may keep what an open snapshot sees; without any it is exact. */
  async #pack(): Promise<void> {
    const before = this.#present()
    const { objectsAfter } = await this.#storage.pack()
    const after = new Set(this.#present())
    const removed = before.filter((oid) => !after.has(oid))
    if (this.#storage.statistics().tid > this.#written.length) this.#written.push(removed)
    else assert.deepEqual(removed, [], 'removed without a transaction of its own')
    const reached = reach(this.#newest, ROOT_OID)
    for (const oid of removed) {
      assert.ok(!reached.has(oid), `object ${oid} was removed though the root leads to it`)
      this.#newest.delete(oid)
      this.#removed.add(oid)
    }
    if (this.#held.length > 0) return
    for (const oid of this.#newest.keys()) assert.ok(reached.has(oid), `object ${oid} was kept for nothing`)
    assert.equal(objectsAfter, this.#newest.size, 'objects after the pack')
  }

  /** The objects that the storage has, of those that the model knows. */
  #present(): Oid[] {
    return atNewest(this.#storage, (snapshot) =>
      [...this.#newest.keys()].filter((oid) => snapshot.load(oid) !== undefined),
    )
  }

  async #reopen(): Promise<void> {
    if (this.#options.reopen === undefined) return
    this.#releaseAll()
    await this.#storage.close()
    this.#storage = await this.#options.reopen(this.#storage)
    // Oids that were reserved but never committed may now be given out again.
    for (const [object, oid] of this.#oids.entries()) {
      if (!this.#newest.has(oid) && object > 0) this.#oids[object] = this.#storage.allocateOids(1)
    }
  }
}

function reach(state: ReadonlyMap<Oid, ModelRecord>, from: Oid): Set<Oid> {
  const reached = new Set<Oid>()
  const stack = [from]
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    const record = state.get(oid)
    if (record === undefined || reached.has(oid)) continue
    reached.add(oid)
    stack.push(...record.references)
  }
  return reached
}

function simplify({ tid, conflicts }: CommitResult) {
  return conflicts === undefined ? { tid } : { conflicts: conflicts.map((c) => [c.oid, c.tid]).sort(byOid) }
}

function codeOf(error: unknown) {
  if (!(error instanceof PerdureError)) throw error
  return { code: error.code }
}

function byOid([a]: readonly (number | undefined)[], [b]: readonly (number | undefined)[]): number {
  return (a ?? 0) - (b ?? 0)
}

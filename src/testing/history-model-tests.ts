import assert from 'node:assert/strict'
import { ConflictError } from '../core/errors.js'
import { type Oid, ROOT_OID, type Tid } from '../core/oid.js'
import type { Storage } from '../core/storage.js'
import { undoTransaction } from '../core/undo.js'
import { Random, runSeed } from './random.js'
import { commit, listRecords, newestTid, type SuiteContext, type TestHarness, write } from './suite-context.js'

const PROGRAMS = 4
const STEPS = 60
const OBJECTS = 8

interface ModelVersion {
  readonly tid: Tid
  readonly text: string
}

type State = ReadonlyMap<Oid, ModelVersion>

/** Random programs, after which every moment of the past must be what it was. */
export function declareHistoryModelTests(
  context: SuiteContext,
  { describe, it }: Pick<TestHarness, 'describe' | 'it'>,
): void {
  const seed = context.options.seed ?? runSeed()

  describe('history of a random program', () => {
    for (let number = 0; number < PROGRAMS; number++) {
      it(`${number + 1} of PERDURE_SEED=${seed} is that of the model`, async () => {
        const model = new HistoryModel(context, new Random(seed + number))
        await model.run()
      })
    }
  })
}

/** Keeps a copy of every state there ever was. */
class HistoryModel {
  readonly #context: SuiteContext
  readonly #random: Random
  readonly #oids: Oid[]
  /** By tid. */
  readonly #states: State[] = [new Map()]
  /** The oids written, by tid. */
  readonly #written: Oid[][] = [[]]
  #texts = 0
  #undone = 0
  #refused = 0

  constructor(context: SuiteContext, random: Random) {
    this.#context = context
    this.#random = random
    const first = context.storage.allocateOids(OBJECTS)
    this.#oids = [ROOT_OID, ...Array.from({ length: OBJECTS - 1 }, (_, i) => first + i)]
  }

  get #storage(): Storage {
    return this.#context.storage
  }

  get #newest(): State {
    return this.#states.at(-1) as State
  }

  async run(): Promise<void> {
    await this.#commit()
    for (let step = 0; step < STEPS; step++) {
      const dice = this.#random.below(10)
      if (dice < 5) await this.#commit()
      else if (dice < 8) await this.#undo(dice < 6 ? this.#states.length - 1 : this.#anyTid())
      else if (dice < 9 || !this.#context.can('persistent')) await this.#compare(this.#anyTid())
      else await this.#context.reopen()
    }
    for (const tid of this.#states.keys()) await this.#compare(tid)
    for (const oid of this.#oids) await this.#compareVersions(oid)
    assert.ok(this.#undone > 0 && this.#refused > 0, 'some transactions were undone, and some could not be')
  }

  #anyTid(): Tid {
    return this.#random.below(this.#states.length)
  }

  async #commit(): Promise<void> {
    const some = this.#oids.filter(() => this.#random.below(4) === 0)
    const oids = some.length === 0 ? [ROOT_OID] : some
    const texts = new Map(oids.map((oid) => [oid, `text ${this.#texts++}`]))
    const tid = await commit(
      this.#storage,
      Array.from(texts, ([oid, text]) => write(oid, text)),
    )
    this.#took(tid, texts)
  }

  #took(tid: Tid, texts: ReadonlyMap<Oid, string>): void {
    const state = new Map(this.#newest)
    for (const [oid, text] of texts) state.set(oid, { tid, text })
    assert.equal(tid, this.#states.length)
    this.#states.push(state)
    this.#written.push([...texts.keys()])
  }

  async #undo(tid: Tid): Promise<void> {
    if (tid < 2) return
    const oids = this.#written[tid] as Oid[]
    const changed = oids.filter((oid) => this.#newest.get(oid)?.tid !== tid)
    if (changed.length > 0) {
      await assert.rejects(undoTransaction(this.#storage, tid, {}), (error: ConflictError) => {
        assert.ok(error instanceof ConflictError, String(error))
        const expected = changed.map((oid) => [oid, this.#newest.get(oid)?.tid])
        assert.deepEqual(
          error.conflicts.map((conflict) => [conflict.oid, conflict.tid]),
          expected,
        )
        return true
      })
      this.#refused++
      return
    }
    const before = this.#states[tid - 1] as State
    const texts = new Map<Oid, string>()
    for (const oid of oids) {
      const version = before.get(oid)
      if (version !== undefined) texts.set(oid, version.text)
    }
    const undone = await undoTransaction(this.#storage, tid, {})
    if (texts.size > 0) this.#took(undone, texts)
    else assert.equal(undone, newestTid(this.#storage))
    this.#undone++
  }

  async #compare(tid: Tid): Promise<void> {
    const snapshot = await this.#storage.snapshotAt(tid)
    try {
      const expected = Array.from(this.#states[tid] as State, ([oid, { tid: writer, text }]) => [oid, writer, text])
      assert.deepEqual(
        await listRecords(snapshot),
        expected.sort((a, b) => (a[0] as Oid) - (b[0] as Oid)),
      )
    } finally {
      snapshot.release()
    }
  }

  async #compareVersions(oid: Oid): Promise<void> {
    const expected = [...this.#written.keys()].filter((tid) => this.#written[tid]?.includes(oid))
    const tids: Tid[] = []
    for await (const { tid, oids } of this.#storage.transactions({ oid })) {
      tids.push(tid)
      assert.deepEqual([...oids].sort(), [...(this.#written[tid] as Oid[])].sort())
    }
    assert.deepEqual(tids, expected)
  }
}

import assert from 'node:assert/strict'
import { type Oid, ROOT_OID } from '../core/oid.js'
import type { Storage } from '../core/storage.js'
import {
  commit,
  conflictsOf,
  newestText,
  newestTid,
  nextTurn,
  SUITE_CLASS,
  type SuiteContext,
  type TestHarness,
  textOf,
  write,
} from './suite-context.js'

/** Which commits are refused, and what the refusal says. */
export function declareConflictTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('conflict', () => {
    it('names the object, its class and the transaction that changed it', async () => {
      const { storage } = context
      const first = await three(storage)
      await commit(storage, [write(first, 'a2')])
      const { tid, conflicts } = await storage.commit({ base: 1, reads: [], writes: [write(first, 'lost')] })
      assert.equal(tid, undefined)
      assert.equal(conflicts?.length, 1)
      const [conflict] = conflicts
      assert.deepEqual([conflict?.oid, conflict?.tid], [first, 2])
      assert.ok(['', SUITE_CLASS].includes(conflict?.className ?? 'missing'))
    })

    it('comes of a change to what was written', async () => {
      const { storage } = context
      const first = await three(storage)
      await commit(storage, [write(first, 'a2')])
      await conflictsOf(storage, { base: 1, reads: [], writes: [write(first, 'lost')] }, [first])
      assert.equal(newestText(storage, first), 'a2')
    })

    it('comes of a change to what was read', async () => {
      const { storage } = context
      const first = await three(storage)
      await commit(storage, [write(first, 'a2')])
      const writes = [write(first + 1, 'lost')]
      await conflictsOf(storage, { base: 1, reads: [first + 2, first], writes }, [first])
      assert.equal(newestText(storage, first + 1), 'one')
      await conflictsOf(storage, { base: 1, reads: [first], writes: [] }, [first])
    })

    it('names every object that has changed, and no other', async () => {
      const { storage } = context
      const first = storage.allocateOids(40)
      const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => first + from + i)
      const writes = range(0, 40).map((oid) => write(oid, 'first'))
      await commit(storage, writes)
      for (const oid of range(10, 30)) await commit(storage, [write(oid, 'second')])
      await conflictsOf(storage, { base: 1, reads: range(0, 20), writes: writes.slice(20) }, range(10, 30))
    })

    it('does not come of changes up to the base, nor to other objects', async () => {
      const { storage } = context
      const first = await three(storage)
      for (let round = 0; round < 30; round++) await commit(storage, [write(first, `${round}`)])
      await commit(storage, [write(first + 1, 'old base')], 1)
      const tid = newestTid(storage)
      assert.equal(await commit(storage, [write(first, 'new base')], tid), tid + 1)
    })

    it('is noticed at the oldest base too', async () => {
      const { storage } = context
      const oid = storage.allocateOids(1)
      await commit(storage, [write(oid, 'created')])
      for (let round = 0; round < 100; round++) await commit(storage, [write(storage.allocateOids(1), 'other')])
      await conflictsOf(storage, { base: 0, reads: [oid], writes: [] }, [oid])
      await conflictsOf(storage, { base: 0, reads: [], writes: [write(oid, 'created again')] }, [oid])
    })

    it('comes of an object that was created after it had been found missing', async () => {
      const { storage } = context
      const create = (text: string) => storage.commit({ base: 0, reads: [ROOT_OID], writes: [write(ROOT_OID, text)] })
      const [first, second] = await Promise.all([create('first'), create('second')])
      assert.equal(first.tid, 1)
      assert.equal(second.conflicts?.[0]?.oid, ROOT_OID)
      assert.equal(newestText(storage, ROOT_OID), 'first')
    })

    it('leaves nothing behind: no record, no tid, no change', async () => {
      const { storage } = context
      const first = await three(storage)
      await commit(storage, [write(first, 'a2')])
      const fresh = storage.allocateOids(1)
      const writes = [write(fresh, 'lost'), write(first + 1, 'lost'), write(first, 'lost')]
      await conflictsOf(storage, { base: 1, reads: [], writes }, [first])
      assert.equal(newestText(storage, fresh), undefined)
      assert.equal(newestText(storage, first + 1), 'one')
      assert.equal(newestTid(storage), 2)
      assert.equal(await commit(storage, [write(fresh, 'found')], 1), 3)
    })
  })

  describe('conflict between commits under way', () => {
    it('is decided by the order of the calls', async () => {
      const { storage } = context
      const first = await three(storage)
      const results = await Promise.all(
        ['x', 'y', 'z'].map((text) => storage.commit({ base: 1, reads: [], writes: [write(first, text)] })),
      )
      assert.deepEqual(
        results.map((result) => result.tid),
        [2, undefined, undefined],
      )
      for (const { conflicts } of results.slice(1)) assert.equal(conflicts?.[0]?.tid, 2)
      assert.equal(newestText(storage, first), 'x')
    })

    it('is noticed for reads: of two transactions that each read what the other writes, one is refused', async () => {
      const { storage } = context
      const first = await three(storage)
      const [one, other] = await Promise.all([
        storage.commit({ base: 1, reads: [first], writes: [write(first + 1, 'one saw a')] }),
        storage.commit({ base: 1, reads: [first + 1], writes: [write(first, 'other saw b')] }),
      ])
      assert.equal(one.tid, 2)
      assert.deepEqual(
        other.conflicts?.map(({ oid, tid }) => [oid, tid]),
        [[first + 1, 2]],
      )
    })

    it('does not come of a commit that was itself refused', async () => {
      const { storage } = context
      const first = await three(storage)
      const results = await Promise.all([
        storage.commit({ base: 1, reads: [], writes: [write(first, 'stored')] }),
        storage.commit({ base: 1, reads: [first], writes: [write(first + 1, 'refused')] }),
        storage.commit({ base: 1, reads: [], writes: [write(first + 1, 'stored')] }),
      ])
      assert.deepEqual(
        results.map((result) => result.tid),
        [2, undefined, 3],
      )
    })

    it('loses no update: 20 connections count in 5 objects', async () => {
      const { storage } = context
      const handles = [storage]
      if (context.can('threads')) handles.push(await context.share(), await context.share())
      const first = storage.allocateOids(5)
      await commit(
        storage,
        [0, 1, 2, 3, 4].map((i) => write(first + i, '0')),
      )
      const counters = Array.from({ length: 20 }, (_, i) => i)
      await Promise.all(
        counters.map(async (i) => {
          const handle = handles[i % handles.length] ?? storage
          for (let round = 0; round < 15; round++) await increment(handle, first + ((i + round) % 5))
        }),
      )
      const total = [0, 1, 2, 3, 4].map((i) => Number(newestText(storage, first + i)))
      assert.deepEqual(total, [60, 60, 60, 60, 60])
    })
  })
}

/** Three objects, all written by transaction 1. */
async function three(storage: Storage): Promise<Oid> {
  const first = storage.allocateOids(3)
  assert.equal(
    await commit(
      storage,
      [0, 1, 2].map((i) => write(first + i, 'one')),
    ),
    1,
  )
  return first
}

async function increment(storage: Storage, oid: Oid): Promise<void> {
  for (;;) {
    const snapshot = storage.snapshot()
    const value = Number(textOf(snapshot.load(oid)))
    await nextTurn()
    const writes = [write(oid, String(value + 1))]
    const result = await storage.commit({ base: snapshot.tid, reads: [oid], writes })
    snapshot.release()
    if (result.tid !== undefined) return
    assert.deepEqual(
      result.conflicts?.map((conflict) => conflict.oid),
      [oid],
    )
  }
}

import assert from 'node:assert/strict'
import { ROOT_OID } from '../core/oid.js'
import {
  assertChanges,
  commit,
  conflictsOf,
  listNewest,
  newestText,
  newestTid,
  rejectsWith,
  SUITE_SERIALIZER,
  type SuiteContext,
  type TestHarness,
  write,
} from './suite-context.js'

/** What is still there after closing and opening again, and what readonly handles may do. */
export function declarePersistenceTests(context: SuiteContext, harness: TestHarness): void {
  if (context.can('readers')) declareReadonlyTests(context, harness)
  if (!context.can('persistent')) return
  const { describe, it } = harness

  describe('reopened', () => {
    it('an empty storage is empty', async () => {
      const storage = await context.reopen()
      assert.equal(newestTid(storage), 0)
      assert.equal(storage.serializer, SUITE_SERIALIZER)
      assert.deepEqual(await listNewest(storage), [])
      assert.equal(await commit(storage, [write(ROOT_OID, 'first')]), 1)
    })

    it('it holds what was committed, with its tids', async () => {
      const first = context.storage.allocateOids(100)
      for (let round = 0; round < 100; round++) {
        await commit(context.storage, [write(first + round, `${round}`), write(ROOT_OID, `root ${round}`)])
      }
      const before = await listNewest(context.storage)
      for (let times = 0; times < 3; times++) {
        const storage = await context.reopen()
        assert.equal(newestTid(storage), 100)
        assert.deepEqual(await listNewest(storage), before)
        assert.equal(newestText(storage, first + 50), '50')
      }
      assert.equal(await commit(context.storage, [write(ROOT_OID, 'next')]), 101)
    })

    it('it holds the commits that were under way when it was closed', async () => {
      const first = context.storage.allocateOids(30)
      const commits = Array.from({ length: 30 }, (_, i) => commit(context.storage, [write(first + i, `${i}`)], 0))
      const storage = await context.reopen()
      await Promise.all(commits)
      assert.deepEqual(
        (await listNewest(storage)).map(([oid, tid]) => [oid, tid]),
        Array.from({ length: 30 }, (_, i) => [first + i, i + 1]),
      )
    })

    it('it does not give out the oids of committed objects again', async () => {
      const first = context.storage.allocateOids(1000)
      await commit(context.storage, [write(ROOT_OID, 'root'), write(first + 700, 'in the middle')])
      for (let times = 0; times < 3; times++) {
        const next = (await context.reopen()).allocateOids(10)
        assert.ok(next > first + 700, `oid ${next} is given out after ${first + 700} was committed`)
        await commit(context.storage, [write(ROOT_OID, `${times}`)])
      }
    })

    it('it still knows what conflicts, and what has changed', async () => {
      const first = context.storage.allocateOids(2)
      await commit(context.storage, [write(first, 'a1'), write(first + 1, 'b1')])
      await commit(context.storage, [write(first, 'a2')])
      const storage = await context.reopen()
      await conflictsOf(storage, { base: 1, reads: [first], writes: [] }, [first])
      await conflictsOf(storage, { base: 1, reads: [first + 1], writes: [] }, [])
      assertChanges(storage, 1, 2, [first])
      assertChanges(storage, 0, 2, [first, first + 1])
    })

    if (context.can('pack')) declarePackedTests(context, harness)
  })
}

function declarePackedTests(context: SuiteContext, { it }: TestHarness): void {
  it('after a pack it holds what the pack kept, and what was committed since', async () => {
    const first = context.storage.allocateOids(3)
    const writes = [write(ROOT_OID, 'root', [first]), write(first, 'kept'), write(first + 2, 'lost')]
    await commit(context.storage, writes)
    await context.storage.pack()
    const tid = await commit(context.storage, [write(first + 1, 'after'), write(first, 'kept', [first + 1])])
    const storage = await context.reopen()
    assert.deepEqual(await listNewest(storage), [
      [ROOT_OID, 1, 'root'],
      [first, tid, 'kept'],
      [first + 1, tid, 'after'],
    ])
    assert.equal(newestText(storage, first + 2), undefined)
    assert.ok(storage.allocateOids(1) > first + 2, 'the oid of an object that was removed is not used again')
    assert.equal(await commit(storage, [write(ROOT_OID, 'next')]), tid + 1)
  })
}

function declareReadonlyTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('readonly', () => {
    it('it shows what was committed, and refuses commits', async () => {
      await commit(context.storage, [write(ROOT_OID, 'root')])
      const reader = await context.openReadonly()
      assert.equal(reader.readonly, true)
      assert.equal(newestText(reader, ROOT_OID), 'root')
      const writes = [write(ROOT_OID, 'refused')]
      await rejectsWith('PERDURE_READONLY', () => reader.commit({ base: 1, reads: [], writes }))
      assert.equal(await commit(context.storage, [write(ROOT_OID, 'written')]), 2)
    })
  })
}

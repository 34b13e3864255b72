import assert from 'node:assert/strict'
import { type Oid, ROOT_OID } from '../core/oid.js'
import type { CommitRequest, Storage } from '../core/storage.js'
import {
  commit,
  conflictsOf,
  listNewest,
  newestTid,
  rejectsWith,
  type SuiteContext,
  type TestHarness,
  textOf,
  write,
} from './suite-context.js'

/** What a record may refer to. */
export function declareReferenceTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('references', () => {
    it('may lead to objects that exist, or are written by the same commit, the object itself included', async () => {
      const { storage } = context
      const first = storage.allocateOids(4)
      await commit(storage, [
        write(ROOT_OID, 'root', [first, first + 1]),
        write(first, 'a', [first]),
        write(first + 1, 'b'),
      ])
      await commit(storage, [
        write(first + 1, 'b', [first + 2, ROOT_OID]),
        write(first + 2, 'c', [first + 3, first]),
        write(first + 3, 'd', [first + 2]),
      ])
      assert.equal((await listNewest(storage)).length, 5)
    })

    it('may lead to what a commit writes that was called before, and not after', async () => {
      const { storage } = context
      const first = storage.allocateOids(3)
      const request = (oid: Oid, references: readonly Oid[]): CommitRequest => {
        return { base: 0, reads: [], writes: [write(oid, 'text', references)] }
      }
      const results = await Promise.allSettled([
        storage.commit(request(first, [])),
        storage.commit(request(first + 1, [first])),
        storage.commit(request(first + 2, [ROOT_OID])),
        storage.commit(request(ROOT_OID, [first + 1])),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
      )
      assert.deepEqual(
        (await listNewest(storage)).map(([oid]) => oid),
        [ROOT_OID, first, first + 1],
      )
    })

    it('to nothing are refused with the oids of both objects, and nothing of the commit is stored', async () => {
      const { storage } = context
      const first = storage.allocateOids(3)
      await commit(storage, [write(ROOT_OID, 'root')])
      for (const nowhere of [first + 2, first + 1_000_000, 2 ** 52]) {
        const writes = [
          write(ROOT_OID, 'root', [first]),
          write(first, 'new'),
          write(first + 1, 'bad', [first, nowhere]),
        ]
        await assert.rejects(commit(storage, writes), (error: { code: string; details: object }) => {
          const { code, details } = error
          assert.deepEqual({ code, ...details }, { code: 'PERDURE_OBJECT_MISSING', oid: nowhere, referrer: first + 1 })
          return true
        })
      }
      assert.deepEqual(await listNewest(storage), [[ROOT_OID, 1, 'root']])
      assert.equal(await commit(storage, [write(first, 'afterwards')]), 2)
    })

    it('are looked for only where there is a record', async () => {
      const { storage } = context
      const notARecord = { oid: storage.allocateOids(1), data: Uint8Array.of(1, 200, 7) }
      await rejectsWith('PERDURE_DECODE', () => commit(storage, [notARecord]))
      assert.deepEqual(await listNewest(storage), [])
    })

    it('to nothing matter less than conflicts', async () => {
      const { storage } = context
      await commit(storage, [write(ROOT_OID, 'root')])
      await conflictsOf(storage, { base: 0, reads: [], writes: [write(ROOT_OID, 'other', [77])] }, [ROOT_OID])
    })

    it('may be many', async () => {
      const { storage } = context
      const first = storage.allocateOids(3000)
      const oids = Array.from({ length: 3000 }, (_, i) => first + i)
      await commit(storage, [write(ROOT_OID, 'root', oids), ...oids.map((oid) => write(oid, 'leaf', [oid, ROOT_OID]))])
      await commit(storage, [write(ROOT_OID, 'root', oids.reverse())])
      await rejectsWith('PERDURE_OBJECT_MISSING', () =>
        commit(storage, [write(ROOT_OID, 'root', [...oids, first + 3000])]),
      )
    })
  })

  if (context.can('pack')) declareRemovedTests(context, { describe, it })
}

function declareRemovedTests(context: SuiteContext, { describe, it }: Pick<TestHarness, 'describe' | 'it'>): void {
  describe('references to what a pack has removed', () => {
    it('are a conflict for a transaction that began before the pack, and an error afterwards', async () => {
      const { storage } = context
      const lost = await packedAway(storage)
      const request = (base: number): CommitRequest => ({ base, reads: [], writes: [write(ROOT_OID, 'root', [lost])] })
      const { conflicts } = await storage.commit(request(1))
      assert.deepEqual(
        conflicts?.map(({ oid, tid }) => [oid, tid > 1 && tid <= newestTid(storage)]),
        [[lost, true]],
      )
      await rejectsWith('PERDURE_OBJECT_MISSING', () => storage.commit(request(newestTid(storage))))
      await commit(storage, [write(storage.allocateOids(1), 'unrelated')])
      await conflictsOf(storage, request(1), [lost])
      await rejectsWith('PERDURE_OBJECT_MISSING', () => storage.commit(request(newestTid(storage))))
    })

    it('are an error if another one leads to what never was', async () => {
      const { storage } = context
      const lost = await packedAway(storage)
      const writes = [write(ROOT_OID, 'root', [lost, lost + 1])]
      await rejectsWith('PERDURE_OBJECT_MISSING', () => storage.commit({ base: 1, reads: [], writes }))
    })

    it('are fine once somebody has stored the object again', async () => {
      const { storage } = context
      const lost = await packedAway(storage)
      await commit(storage, [write(ROOT_OID, 'root', [lost]), write(lost, 'back')])
      await storage.pack()
      const snapshot = storage.snapshot()
      assert.equal(textOf(snapshot.load(lost)), 'back')
      snapshot.release()
    })
  })
}

/** Stores an object that nothing refers to in transaction 1, and packs it away after that. */
async function packedAway(storage: Storage): Promise<Oid> {
  const lost = storage.allocateOids(2)
  await commit(storage, [write(ROOT_OID, 'root'), write(lost, 'lost')])
  await storage.pack()
  assert.ok(newestTid(storage) > 1, 'the removal is a transaction')
  return lost
}

import assert from 'node:assert/strict'
import { ROOT_OID, type Tid } from '../core/oid.js'
import {
  assertChanges,
  commit,
  listNewest,
  listRecords,
  newestText,
  newestTid,
  nextTurn,
  rejectsWith,
  SUITE_SERIALIZER,
  type SuiteContext,
  type TestHarness,
  textOf,
  throwsWith,
  write,
} from './suite-context.js'

/** What a handle says of itself, oids, changes, and closing. */
export function declareHandleTests(context: SuiteContext, harness: TestHarness): void {
  const { describe, it } = harness

  describe('storage', () => {
    it('says what it is and what it can do', async () => {
      const { storage, options } = context
      assert.match(storage.kind, /^[a-z]+$/)
      assert.equal(typeof storage.location, 'string')
      assert.equal(storage.serializer, SUITE_SERIALIZER)
      assert.equal(storage.readonly, false)
      assert.deepEqual([...storage.capabilities].sort(), [...options.capabilities].sort())
    })

    it('keeps statistics', async () => {
      const { storage } = context
      const empty = storage.statistics()
      assert.deepEqual([empty.loads, empty.commits, empty.conflicts, empty.tid], [0, 0, 0, 0])
      await commit(storage, [write(ROOT_OID, 'text '.repeat(1000))])
      const { bytes, tid, commits } = storage.statistics()
      assert.ok(bytes >= empty.bytes + 5000, `${bytes} bytes`)
      assert.deepEqual([tid, commits], [1, 1])
    })
  })

  describe('changes', () => {
    it('are exactly what was written between two transactions, or unknown', async () => {
      const { storage } = context
      const first = storage.allocateOids(6)
      const written: number[][] = [[]]
      for (const oids of [[0, 1, 2], [1], [3, 4], [1, 3], [5]]) {
        written.push(oids.map((i) => first + i))
        await commit(
          storage,
          oids.map((i) => write(first + i, `at ${written.length}`)),
        )
      }
      await storage.commit({ base: 0, reads: [], writes: [write(first, 'refused')] })
      for (let after = 0; after <= 5; after++) {
        for (let upTo = after; upTo <= 5; upTo++) {
          assertChanges(storage, after, upTo, written.slice(after + 1, upTo + 1).flat())
        }
      }
      assert.notEqual(storage.changes(5, 5), undefined, 'nothing has changed, and that is known')
      assert.notEqual(storage.changes(4, 5), undefined, 'the newest transaction is known')
    })

    it('cover many transactions, or are unknown', async () => {
      const { storage } = context
      const first = storage.allocateOids(300)
      for (let i = 0; i < 300; i++) await commit(storage, [write(first + i, 'new')])
      assertChanges(
        storage,
        100,
        300,
        Array.from({ length: 200 }, (_, i) => first + 100 + i),
      )
    })
  })

  describe('allocateOids', () => {
    it('gives out each oid once, and never that of the root', async () => {
      const { storage } = context
      const handles = context.can('threads') ? [storage, await context.share()] : [storage]
      const seen = new Set<number>([ROOT_OID])
      for (let round = 0; round < 200; round++) {
        const count = 1 + (round % 7) * (round % 5)
        const first = (handles[round % handles.length] ?? storage).allocateOids(count)
        for (let oid = first; oid < first + count; oid++) {
          assert.ok(Number.isSafeInteger(oid) && oid > ROOT_OID, `oid ${oid}`)
          assert.ok(!seen.has(oid), `oid ${oid} is given out twice`)
          seen.add(oid)
        }
      }
    })

    it('gives out a great many at once', async () => {
      const { storage } = context
      const first = storage.allocateOids(1_000_000)
      const second = storage.allocateOids(1)
      assert.ok(second < first || second >= first + 1_000_000)
    })
  })

  declareCloseTests(context, harness)
  if (context.can('threads')) declareSharingTests(context, harness)
}

function declareCloseTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('close', () => {
    it('may be called more than once', async () => {
      const { storage } = context
      await Promise.all([storage.close(), storage.close()])
      await storage.close()
    })

    it('lets nothing be done afterwards', async () => {
      const { storage } = context
      await commit(storage, [write(ROOT_OID, 'root')])
      const snapshot = storage.snapshot()
      const started = snapshot.records()[Symbol.asyncIterator]()
      await storage.close()
      throwsWith('PERDURE_CLOSED', () => storage.snapshot())
      throwsWith('PERDURE_CLOSED', () => storage.changes(0, 1))
      throwsWith('PERDURE_CLOSED', () => storage.allocateOids(1))
      throwsWith('PERDURE_CLOSED', () => storage.statistics())
      await rejectsWith('PERDURE_CLOSED', () => storage.commit({ base: 1, reads: [], writes: [] }))
      await rejectsWith('PERDURE_CLOSED', () => storage.pack())
      await rejectsWith('PERDURE_CLOSED', () => storage.verify())
      throwsWith('PERDURE_CLOSED', () => snapshot.load(ROOT_OID))
      await rejectsWith('PERDURE_CLOSED', () => snapshot.loadMany([ROOT_OID]))
      await rejectsWith('PERDURE_CLOSED', () => listRecords(snapshot))
      await rejectsWith('PERDURE_CLOSED', () => started.next())
      snapshot.release()
      assert.equal(storage.serializer, SUITE_SERIALIZER)
    })

    it('waits for the commits under way', async () => {
      const { storage } = context
      const first = storage.allocateOids(50)
      const settled: (Tid | undefined)[] = []
      const commits = Array.from({ length: 50 }, async (_, i) => {
        const result = await storage.commit({ base: 0, reads: [], writes: [write(first + i, `${i}`)] })
        settled.push(result.tid)
      })
      await storage.close()
      assert.equal(settled.length, 50)
      await Promise.all(commits)
      assert.ok(!settled.includes(undefined))
    })
  })
}

function declareSharingTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('several handles', () => {
    it('see the commits of each other as soon as they have resolved', async () => {
      const { storage } = context
      const other = await context.share()
      assert.equal(other.serializer, storage.serializer)
      const oid = storage.allocateOids(1)
      for (let round = 1; round <= 20; round++) {
        const [writer, reader] = round % 2 === 0 ? [storage, other] : [other, storage]
        const tid = await commit(writer, [write(oid, `${round}`)])
        assert.equal(newestTid(reader), tid)
        assert.equal(newestText(reader, oid), `${round}`)
        assertChanges(reader, tid - 1, tid, [oid])
      }
      assert.deepEqual(await listNewest(other), await listNewest(storage))
    })

    it('are refused what another one has changed', async () => {
      const { storage } = context
      const other = await context.share()
      await commit(storage, [write(ROOT_OID, 'first')])
      await commit(other, [write(ROOT_OID, 'second')])
      const refused = await storage.commit({ base: 1, reads: [ROOT_OID], writes: [] })
      assert.equal(refused.conflicts?.[0]?.tid, 2)
    })

    it('keep their snapshots while others commit and close', async () => {
      const { storage } = context
      const other = await context.share()
      await commit(storage, [write(ROOT_OID, 'first')])
      const held = storage.snapshot()
      await commit(other, [write(ROOT_OID, 'second')])
      await other.close()
      await nextTurn()
      assert.equal(textOf(held.load(ROOT_OID)), 'first')
      held.release()
      assert.equal(await commit(storage, [write(ROOT_OID, 'third')]), 3)
    })
  })
}

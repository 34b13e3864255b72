import assert from 'node:assert/strict'
import { ROOT_OID } from '../core/oid.js'
import type { CommitRequest, RecordWrite, Storage, TransactionInfo } from '../core/storage.js'
import {
  commit,
  conflictsOf,
  listNewest,
  newestTid,
  rejectsWith,
  type SuiteContext,
  type TestHarness,
  write,
} from './suite-context.js'

const LONG_AGO = new Date('1999-12-31T23:59:59.999Z')

/** Transactions that are copied from another storage. */
export function declareRestoreTests(context: SuiteContext, { describe, it }: TestHarness): void {
  if (!context.can('restore')) {
    describe('restored transactions', () => {
      it('are refused', async () => {
        const { storage } = context
        await rejectsWith('PERDURE_UNSUPPORTED', () => restore(storage, [write(ROOT_OID, 'root')], LONG_AGO))
        assert.deepEqual(await listNewest(storage), [])
      })
    })
    return
  }

  describe('restored transactions', () => {
    it('may refer to objects that are still to come', async () => {
      const { storage } = context
      const first = storage.allocateOids(2)
      await restore(storage, [write(ROOT_OID, 'root', [first, first + 1])], LONG_AGO)
      await restore(storage, [write(first, 'a', [first + 1])], LONG_AGO)
      await restore(storage, [write(first + 1, 'b', [ROOT_OID])], LONG_AGO)
      const expected = [
        [ROOT_OID, 'root'],
        [first, 'a'],
        [first + 1, 'b'],
      ]
      const textsOf = async (from: Storage) => (await listNewest(from)).map(([oid, , text]) => [oid, text])
      assert.deepEqual(await textsOf(storage), expected)
      if (context.can('persistent')) assert.deepEqual(await textsOf(await context.reopen()), expected)
    })

    it('conflict as others do, and must have a time', async () => {
      const { storage } = context
      await restore(storage, [write(ROOT_OID, 'root')], LONG_AGO)
      const restored = { time: LONG_AGO }
      await conflictsOf(storage, { base: 0, reads: [], writes: [write(ROOT_OID, 'other')], restored }, [ROOT_OID])
      for (const time of [new Date(Number.NaN), new Date(-1), 5 as unknown as Date]) {
        await rejectsWith('PERDURE_ARGUMENT', () => restore(storage, [write(ROOT_OID, 'other')], time))
      }
      assert.deepEqual(await listNewest(storage), [[ROOT_OID, 1, 'root']])
    })

    it('change nothing for the commits after them', async () => {
      const { storage } = context
      const first = storage.allocateOids(2)
      await restore(storage, [write(ROOT_OID, 'root', [first])], LONG_AGO)
      await rejectsWith('PERDURE_OBJECT_MISSING', () => commit(storage, [write(first, 'a', [first + 1])]))
      await commit(storage, [write(first, 'a')])
      assert.equal((await listNewest(storage)).length, 2)
    })

    if (context.can('persistent')) {
      it('keep the oids that were allocated before them from being given out again', async () => {
        const { storage } = context
        const next = storage.allocateOids(1000) + 1000
        await restore(storage, [write(ROOT_OID, 'root')], LONG_AGO)
        const reopened = await context.reopen()
        assert(reopened.allocateOids(1) >= next, 'an oid was given out twice')
      })
    }

    if (context.can('history')) {
      it('keep their times and remarks, and are never earlier than those before', async () => {
        const { storage } = context
        const later = new Date(LONG_AGO.getTime() + 1000)
        const before = Date.now()
        await Promise.all([
          restore(storage, [write(ROOT_OID, 'one')], LONG_AGO, 0, { note: 'first', user: 'ada' }),
          restore(storage, [write(ROOT_OID, 'two')], later, 1),
          restore(storage, [write(ROOT_OID, 'three')], LONG_AGO, 2),
          storage.commit({ base: 3, reads: [], writes: [write(ROOT_OID, 'four')] }),
        ])
        const transactions: TransactionInfo[] = []
        for await (const transaction of storage.transactions()) transactions.push(transaction)
        assert.deepEqual(
          transactions.slice(0, 3).map(({ tid, time, note, user }) => [tid, time, note, user]),
          [
            [1, LONG_AGO, 'first', 'ada'],
            [2, later, '', ''],
            [3, later, '', ''],
          ],
        )
        assert(transactions.length === 4 && (transactions[3]?.time.getTime() ?? 0) >= before, 'the last one is new')
        const snapshot = await storage.snapshotAt(new Date(later.getTime() - 1))
        assert.equal(snapshot.tid, 1)
        snapshot.release()
      })
    }
  })
}

async function restore(
  storage: Storage,
  writes: readonly RecordWrite[],
  time: Date,
  base = newestTid(storage),
  remarks: Pick<CommitRequest, 'note' | 'user'> = {},
): Promise<void> {
  const result = await storage.commit({ base, reads: [], writes, ...remarks, restored: { time } })
  assert.equal(result.conflicts, undefined, 'the commit must not conflict')
}

import assert from 'node:assert/strict'
import { type Oid, ROOT_OID } from '../core/oid.js'
import type { CommitRequest, Storage } from '../core/storage.js'
import { laterThan, list, threeTransactions, tidAt, tidsOf } from './history-context.js'
import { declareHistoryModelTests } from './history-model-tests.js'
import {
  commit,
  listRecords,
  newestTid,
  rejectsWith,
  type SuiteContext,
  type TestHarness,
  textOf,
  write,
} from './suite-context.js'
import { declareTransactionTests } from './transaction-tests.js'

type Declare = Pick<TestHarness, 'describe' | 'it'>

/** What can be seen of the past. */
export function declareHistoryTests(context: SuiteContext, { describe, it }: TestHarness): void {
  declareRemarkTests(context, { describe, it })
  if (!context.can('history')) {
    describe('history', () => {
      it('is refused by a storage that keeps none', async () => {
        await rejectsWith('PERDURE_UNSUPPORTED', () => context.storage.snapshotAt(0))
        await rejectsWith('PERDURE_UNSUPPORTED', () => list(context.storage))
      })
    })
    return
  }
  declareSnapshotTests(context, { describe, it })
  declareTransactionTests(context, { describe, it })
  declareOtherHandleTests(context, { describe, it })
  if (context.can('pack')) declarePackedTests(context, { describe, it })
  declareHistoryModelTests(context, { describe, it })
}

/** What is left of the past when a pack has removed it. */
function declarePackedTests(context: SuiteContext, { describe, it }: Declare): void {
  describe('history after a pack', () => {
    it('begins where the pack says, and what is further back is refused', async () => {
      const { storage } = context
      const before = await laterThan(undefined)
      await laterThan(before)
      const first = await threeTransactions(storage)
      await commit(storage, [write(ROOT_OID, 'root 4', [first])])
      const { historyFrom } = await storage.pack()
      assert.ok(historyFrom >= 4, `history from ${historyFrom}`)
      await commit(storage, [write(first, 'a 5')])
      const details = (error: { code: string; details: Record<string, unknown> }) => {
        assert.deepEqual([error.code, error.details['historyFrom']], ['PERDURE_HISTORY', historyFrom])
        assert.equal(typeof error.details['historyTime'], 'number')
        return true
      }
      for (const at of [0, historyFrom - 1, before]) {
        await assert.rejects(storage.snapshotAt(at), details)
        await assert.rejects(list(storage, { from: at }), details)
      }
      const snapshot = await storage.snapshotAt(historyFrom)
      assert.equal(textOf(snapshot.load(first)), 'a 2')
      snapshot.release()
      const tids = await tidsOf(storage.transactions())
      assert.ok(
        tids.every((tid) => tid > historyFrom),
        `transactions ${tids}`,
      )
      assert.equal(tids.at(-1), newestTid(storage))
      assert.deepEqual(await tidsOf(storage.transactions({ from: historyFrom })), tids)
      assert.deepEqual(await tidsOf(storage.transactions({ oid: first })), [newestTid(storage)])
    })
  })
}

/** Storages without a history take these too, and say the same of them when they are impossible. */
function declareRemarkTests(context: SuiteContext, { describe, it }: Declare): void {
  describe('what a transaction says of itself', () => {
    const remarked = (remarks: Partial<CommitRequest>) => {
      const { storage } = context
      const writes = [write(storage.allocateOids(1), 'text')]
      return storage.commit({ base: newestTid(storage), reads: [], writes, ...remarks })
    }

    it('is a user of up to 255 bytes of UTF-8', async () => {
      assert.equal((await remarked({ user: 'u'.repeat(255) })).tid, 1)
      await rejectsWith('PERDURE_LIMIT', () => remarked({ user: 'u'.repeat(256) }))
      await rejectsWith('PERDURE_LIMIT', () => remarked({ user: '\u00e9'.repeat(128) }))
      assert.equal(newestTid(context.storage), 1)
    })

    it('is a token of 16 bytes', async () => {
      assert.equal((await remarked({ token: new Uint8Array(16) })).tid, 1)
      for (const length of [0, 15, 17]) {
        await rejectsWith('PERDURE_ARGUMENT', () => remarked({ token: new Uint8Array(length) }))
      }
      assert.equal(newestTid(context.storage), 1)
    })
  })
}

function declareSnapshotTests(context: SuiteContext, { describe, it }: Declare): void {
  describe('snapshotAt', () => {
    it('shows every past state as it was, the empty one before the first transaction included', async () => {
      const { storage } = context
      const first = await threeTransactions(storage)
      const expected = [
        [],
        [
          [ROOT_OID, 1, 'root 1'],
          [first, 1, 'a 1'],
        ],
        [
          [ROOT_OID, 1, 'root 1'],
          [first, 2, 'a 2'],
          [first + 1, 2, 'b 2'],
        ],
        [
          [ROOT_OID, 3, 'root 3'],
          [first, 2, 'a 2'],
          [first + 1, 2, 'b 2'],
        ],
      ]
      for (const [tid, state] of expected.entries()) {
        const snapshot = await storage.snapshotAt(tid)
        assert.equal(snapshot.tid, tid)
        assert.deepEqual(await listRecords(snapshot), state)
        assert.equal(textOf(snapshot.load(first)), state.find(([oid]) => oid === first)?.[2])
        const many = await snapshot.loadMany([first + 1, ROOT_OID])
        assert.deepEqual(
          many.map(textOf),
          [first + 1, ROOT_OID].map((oid) => state.find(([o]) => o === oid)?.[2]),
        )
        let scanned = 0
        for await (const batch of snapshot.scan()) scanned += batch.oids.length
        assert.equal(scanned, state.length)
        snapshot.release()
      }
    })

    it('stays as it is while others commit, until it is released', async () => {
      const { storage } = context
      const first = await threeTransactions(storage)
      const snapshot = await storage.snapshotAt(2)
      const before = await listRecords(snapshot)
      await commit(storage, [write(first, 'a 4'), write(first + 1, 'b 4')])
      assert.deepEqual(await listRecords(snapshot), before)
      snapshot.release()
      snapshot.release()
      assert.throws(() => snapshot.load(first), { code: 'PERDURE_CLOSED' })
    })

    it('takes a time, and gives the last transaction that is not later', async () => {
      const { storage } = context
      const times: Date[] = []
      for (let round = 1; round <= 4; round++) {
        times.push(await laterThan(times.at(-1)))
        await commit(storage, [write(ROOT_OID, `root ${round}`)])
        await commit(storage, [write(ROOT_OID, `root ${round}, changed`)])
      }
      await laterThan(times.at(-1))
      const infos = await list(storage)
      for (const [i, { time, tid }] of infos.entries()) {
        const last = infos.findLast((info) => info.time.getTime() === time.getTime())?.tid
        assert.equal(await tidAt(storage, time), last)
        const before = infos.findLast((info) => info.time < time)?.tid ?? 0
        assert.equal(await tidAt(storage, new Date(time.getTime() - 1)), before)
        assert.equal(tid, i + 1)
        assert.ok(time >= (times[Math.floor(i / 2)] as Date), 'the time of the commit')
      }
      assert.equal(await tidAt(storage, new Date()), 8)
      assert.equal(await tidAt(storage, new Date(Date.now() + 1e9)), 8)
    })

    it('refuses what is still to come, and what is no moment', async () => {
      const { storage } = context
      await threeTransactions(storage)
      for (const at of [4, 2 ** 53, -1, 1.5, Number.NaN, new Date(Number.NaN)]) {
        await rejectsWith('PERDURE_ARGUMENT', () => storage.snapshotAt(at))
      }
    })

    it('is refused by a closed storage', async () => {
      const { storage } = context
      await threeTransactions(storage)
      const snapshot = await storage.snapshotAt(1)
      const iterator = storage.transactions()[Symbol.asyncIterator]()
      await iterator.next()
      await storage.close()
      await rejectsWith('PERDURE_CLOSED', () => storage.snapshotAt(1))
      await rejectsWith('PERDURE_CLOSED', () => list(storage))
      await rejectsWith('PERDURE_CLOSED', () => iterator.next())
      assert.throws(() => snapshot.load(ROOT_OID), { code: 'PERDURE_CLOSED' })
      snapshot.release()
    })
  })
}

function declareOtherHandleTests(context: SuiteContext, { describe, it }: Declare): void {
  describe('history', () => {
    const sameIn = async (other: Storage, first: Oid) => {
      assert.deepEqual(await list(other), await list(context.storage))
      assert.deepEqual(
        await list(other, { oid: first, newestFirst: true }),
        await list(context.storage, { oid: first, newestFirst: true }),
      )
      const snapshot = await other.snapshotAt(1)
      assert.deepEqual(await listRecords(snapshot), [
        [ROOT_OID, 1, 'root 1'],
        [first, 1, 'a 1'],
      ])
      snapshot.release()
    }

    if (context.can('persistent')) {
      it('is still there after closing and opening', async () => {
        const first = await threeTransactions(context.storage)
        const before = await list(context.storage)
        const reopened = await context.reopen()
        assert.deepEqual(await list(reopened), before)
        await sameIn(reopened, first)
        await commit(reopened, [write(ROOT_OID, 'root 4')])
        assert.deepEqual((await list(reopened)).slice(0, 3), before)
      })
    }

    if (context.can('threads')) {
      it('is the same for other handles', async () => {
        const first = await threeTransactions(context.storage)
        const shared = await context.share()
        await commit(shared, [write(first, 'a 4')])
        await sameIn(shared, first)
      })
    }

    if (context.can('readers')) {
      it('is the same for readonly handles, and goes on', async () => {
        const first = await threeTransactions(context.storage)
        const reader = await context.openReadonly()
        await sameIn(reader, first)
        await commit(context.storage, [write(first, 'a 4')])
        await sameIn(reader, first)
        assert.deepEqual(await tidsOf(reader.transactions({ oid: first })), [1, 2, 4])
      })
    }
  })
}

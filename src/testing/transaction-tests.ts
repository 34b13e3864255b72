import assert from 'node:assert/strict'
import { ROOT_OID, type Tid } from '../core/oid.js'
import type { TransactionInfo, TransactionRange } from '../core/storage.js'
import { laterThan, list, threeTransactions, tidsOf } from './history-context.js'
import {
  commit,
  newestTid,
  nextTurn,
  rejectsWith,
  type SuiteContext,
  type TestHarness,
  write,
} from './suite-context.js'

type Declare = Pick<TestHarness, 'describe' | 'it'>

/** How past transactions are listed. */
export function declareTransactionTests(context: SuiteContext, { describe, it }: Declare): void {
  declareRangeTests(context, { describe, it })

  describe('transactions', () => {
    it('tell what was committed, by whom, when, and which objects', async () => {
      const { storage } = context
      const token = Uint8Array.from({ length: 16 }, (_, i) => 255 - i)
      const first = storage.allocateOids(2)
      const started = Date.now()
      const together = {
        base: 0,
        reads: [],
        writes: [write(first + 1, 'b'), write(ROOT_OID, 'root'), write(first, 'a')],
      }
      await storage.commit({ ...together, note: 'moved \u{1f4b0}', user: 'Zo\u00eb', token })
      await storage.commit({ base: 1, reads: [], writes: [write(first, 'A'.repeat(10_000))], note: 'n'.repeat(65_535) })
      const [one, two, ...rest] = await list(storage)
      assert.deepEqual(rest, [])
      assert.deepEqual(
        { ...one, time: undefined, bytes: undefined },
        {
          tid: 1,
          time: undefined,
          bytes: undefined,
          note: 'moved \u{1f4b0}',
          user: 'Zo\u00eb',
          token,
          oids: [first + 1, ROOT_OID, first],
        },
      )
      // A storage may choose a token where none was given.
      assert.notDeepEqual(two?.token, token)
      assert.deepEqual([two?.tid, two?.user, two?.oids], [2, '', [first]])
      assert.equal(two?.note, 'n'.repeat(65_535))
      for (const { time, bytes } of [one, two] as TransactionInfo[]) {
        assert.ok(time.getTime() >= started && time.getTime() <= Date.now(), `${time.toISOString()} is the time`)
        assert.ok(bytes > 0, `${bytes} bytes`)
      }
      assert.ok((two?.bytes ?? 0) >= 75_535, `${two?.bytes} bytes`)
    })

    it('of an empty storage are none', async () => {
      assert.deepEqual(await list(context.storage), [])
      assert.deepEqual(await list(context.storage, { newestFirst: true, oid: ROOT_OID }), [])
    })

    it('are those there were at the time of the call', async () => {
      const { storage } = context
      await threeTransactions(storage)
      const called = storage.transactions()
      const backwards = storage.transactions({ newestFirst: true })
      await commit(storage, [write(ROOT_OID, 'root 4')])
      assert.deepEqual(await tidsOf(called), [1, 2, 3])
      assert.deepEqual(await tidsOf(backwards), [3, 2, 1])
    })

    it('do not hinder commits', async () => {
      const { storage } = context
      await threeTransactions(storage)
      const seen: Tid[] = []
      for await (const { tid } of storage.transactions()) {
        seen.push(tid)
        await commit(storage, [write(ROOT_OID, `root ${tid}`)])
      }
      assert.deepEqual(seen, [1, 2, 3])
      assert.equal(newestTid(storage), 6)
    })

    it('may be many and of any size, and are found one by one', async () => {
      const { storage } = context
      const first = storage.allocateOids(400)
      const commits = []
      for (let i = 0; i < 400; i++) {
        const size = i % 100 === 50 ? 200_000 : (i * 37) % 700
        commits.push(commit(storage, [write(first + i, 's'.repeat(size)), write(ROOT_OID, `${i}`)], i))
        if (i % 7 === 0) await commits.at(-1)
        else await nextTurn()
      }
      await Promise.all(commits)
      const all = await list(storage)
      assert.deepEqual(
        all.map(({ tid }) => tid),
        Array.from({ length: 400 }, (_, i) => i + 1),
      )
      for (let tid = 1; tid <= 400; tid += 3) {
        assert.deepEqual(await list(storage, { from: tid, to: tid }), [all[tid - 1]])
        assert.deepEqual(await list(storage, { oid: first + tid - 1 }), [all[tid - 1]])
      }
      assert.deepEqual(await list(storage, { newestFirst: true }), [...all].reverse())
      assert.deepEqual(await list(storage, { oid: ROOT_OID }), all)
    })
  })
}

function declareRangeTests(context: SuiteContext, { describe, it }: Declare): void {
  describe('transactions in a range', () => {
    const tids = (range?: TransactionRange) => tidsOf(context.storage.transactions(range))

    it('include both ends, in either order', async () => {
      await threeTransactions(context.storage)
      assert.deepEqual(await tids({ from: 2 }), [2, 3])
      assert.deepEqual(await tids({ to: 2 }), [1, 2])
      assert.deepEqual(await tids({ from: 2, to: 2 }), [2])
      assert.deepEqual(await tids({ from: 1, to: 3, newestFirst: true }), [3, 2, 1])
      assert.deepEqual(await tids({ from: 2, newestFirst: true }), [3, 2])
      assert.deepEqual(await tids({ from: 0, to: 99 }), [1, 2, 3])
      assert.deepEqual(await tids({ to: 0 }), [])
      assert.deepEqual(await tids({ from: 3, to: 2 }), [])
      assert.deepEqual(await tids({ from: 4 }), [])
    })

    it('of times begin with the transaction of that moment', async () => {
      const { storage } = context
      const times: Date[] = []
      for (let round = 0; round < 3; round++) {
        await laterThan(times.at(-1))
        await commit(storage, [write(ROOT_OID, `${round}`)])
        times.push((await list(storage, { newestFirst: true }))[0]?.time as Date)
      }
      const [one, two, three] = times as [Date, Date, Date]
      assert.deepEqual(await tids({ from: two }), [2, 3])
      assert.deepEqual(await tids({ to: two }), [1, 2])
      assert.deepEqual(await tids({ from: new Date(two.getTime() - 1), to: new Date(three.getTime() - 1) }), [1, 2])
      assert.deepEqual(await tids({ from: one, to: 1, newestFirst: true }), [1])
      assert.deepEqual(await tids({ from: new Date(one.getTime() - 1) }), [1, 2, 3])
      assert.deepEqual(await tids({ to: new Date(one.getTime() - 1) }), [])
    })

    it('are those that wrote an object, if one is named', async () => {
      const { storage } = context
      const first = await threeTransactions(storage)
      for (let tid = 4; tid <= 12; tid++) await commit(storage, [write(tid % 3 === 0 ? first : ROOT_OID, `${tid}`)])
      assert.deepEqual(await tids({ oid: first }), [1, 2, 6, 9, 12])
      assert.deepEqual(await tids({ oid: first, newestFirst: true }), [12, 9, 6, 2, 1])
      assert.deepEqual(await tids({ oid: first, from: 2, to: 9 }), [2, 6, 9])
      assert.deepEqual(await tids({ oid: first, from: 3, to: 8, newestFirst: true }), [6])
      assert.deepEqual(await tids({ oid: first, from: 7, to: 8 }), [])
      assert.deepEqual(await tids({ oid: first + 1 }), [2])
      assert.deepEqual(await tids({ oid: first + 77 }), [])
      assert.deepEqual(await tids({ oid: 2 ** 52 }), [])
    })

    it('must have ends that are moments', async () => {
      await threeTransactions(context.storage)
      for (const at of [-1, 0.5, new Date(Number.NaN)]) {
        await rejectsWith('PERDURE_ARGUMENT', () => tids({ from: at }))
        await rejectsWith('PERDURE_ARGUMENT', () => tids({ to: at }))
      }
      await rejectsWith('PERDURE_ARGUMENT', () => tids({ oid: -1 }))
    })
  })
}

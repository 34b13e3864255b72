import assert from 'node:assert/strict'
import { ROOT_OID } from '../core/oid.js'
import type { RecordWrite, Storage } from '../core/storage.js'
import {
  atNewest,
  commit,
  listNewest,
  newestText,
  newestTid,
  nextTurn,
  rejectsWith,
  type SuiteContext,
  type TestHarness,
  textOf,
  write,
} from './suite-context.js'

/** What a commit stores, and in which order. Conflicts have a file of their own. */
export function declareCommitTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('commit', () => {
    it('numbers transactions from 1, without gaps', async () => {
      const { storage } = context
      assert.equal(await commit(storage, [write(ROOT_OID, '1')]), 1)
      assert.equal(await commit(storage, [write(ROOT_OID, '2')]), 2)
      assert.deepEqual((await storage.commit({ base: 1, reads: [], writes: [write(ROOT_OID, 'x')] })).tid, undefined)
      assert.equal(await commit(storage, []), 2)
      assert.equal(await commit(storage, [write(ROOT_OID, '3')]), 3)
      const { tid, commits, conflicts } = storage.statistics()
      assert.deepEqual({ tid, commits, conflicts }, { tid: 3, commits: 3, conflicts: 1 })
    })

    it('orders the commits of one handle by the order of the calls', async () => {
      const { storage } = context
      const first = storage.allocateOids(100)
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, i) => commit(storage, [write(first + i, `${i}`)], 0)),
      )
      assert.deepEqual(
        results,
        Array.from({ length: 100 }, (_, i) => i + 1),
      )
    })

    it('is seen by every snapshot taken after it has resolved', async () => {
      const { storage } = context
      const oid = storage.allocateOids(1)
      for (let round = 1; round <= 50; round++) {
        const tid = await commit(storage, [write(oid, `${round}`)])
        atNewest(storage, (snapshot) => {
          assert.equal(snapshot.tid, tid)
          assert.equal(textOf(snapshot.load(oid)), `${round}`)
        })
      }
    })

    it('becomes visible all at once', async () => {
      const { storage } = context
      const first = storage.allocateOids(10)
      const oids = Array.from({ length: 10 }, (_, i) => first + i)
      let writing = true
      const write200 = async () => {
        for (let round = 0; round < 200; round += 4) {
          const base = newestTid(storage)
          const one = commit(
            storage,
            oids.map((oid) => write(oid, `${round}`)),
            base,
          )
          await Promise.all([one, ...[1, 2, 3].map((i) => commit(storage, [write(storage.allocateOids(1), `${i}`)]))])
        }
        writing = false
      }
      const read = async () => {
        while (writing) {
          atNewest(storage, (snapshot) => {
            assert.equal(new Set(oids.map((oid) => textOf(snapshot.load(oid)))).size, 1)
          })
          await nextTurn()
        }
      }
      await Promise.all([write200(), read()])
    })

    it('lets the caller reuse the bytes at once', async () => {
      const { storage } = context
      const shared = new ArrayBuffer(64)
      const first = storage.allocateOids(20)
      const commits = []
      for (let i = 0; i < 20; i++) {
        const { data } = write(first + i, `text ${i}`)
        const view = new Uint8Array(shared, 8, data.length)
        view.set(data)
        const writes = [{ oid: first + i, data: view }]
        const reads = [ROOT_OID]
        commits.push(storage.commit({ base: 0, reads, writes }))
        view.fill(255)
        writes.length = 0
        reads.push(first)
      }
      await Promise.all(commits)
      for (let i = 0; i < 20; i++) assert.equal(newestText(storage, first + i), `text ${i}`)
      assert.equal(shared.byteLength, 64, 'the buffer still belongs to the caller')
    })

    it('stores nothing, and takes no tid, without writes', async () => {
      const { storage } = context
      await commit(storage, [write(ROOT_OID, '1')])
      await commit(storage, [write(ROOT_OID, '2')])
      assert.deepEqual(await storage.commit({ base: 2, reads: [ROOT_OID, 77], writes: [] }), { tid: 2 })
      assert.deepEqual(await storage.commit({ base: 1, reads: [], writes: [] }), { tid: 1 })
      assert.deepEqual((await storage.commit({ base: 1, reads: [ROOT_OID], writes: [] })).tid, undefined)
      assert.equal(newestTid(storage), 2)
    })
  })

  declareSizeTests(context, { describe, it })
}

function declareSizeTests(context: SuiteContext, { describe, it }: Pick<TestHarness, 'describe' | 'it'>): void {
  describe('commit of unusual size', () => {
    it('takes 10,000 records', async () => {
      const { storage } = context
      const first = storage.allocateOids(10_000)
      const oids = Array.from({ length: 10_000 }, (_, i) => first + i)
      assert.equal(
        await commit(
          storage,
          oids.map((oid) => write(oid, `many ${oid}`)),
        ),
        1,
      )
      const records = await listNewest(storage)
      assert.deepEqual(
        records,
        oids.map((oid) => [oid, 1, `many ${oid}`]),
      )
    })

    it('takes records of some megabytes, and records without a state', async () => {
      const { storage } = context
      const first = storage.allocateOids(3)
      const long = 'long '.repeat(Math.min(1_000_000, Math.floor((context.options.recordLimit ?? 1e7) / 10)))
      await commit(storage, [write(first, long), write(first + 1, ''), write(first + 2, 'short')])
      assert.ok(newestText(storage, first) === long)
      assert.equal(newestText(storage, first + 1), '')
      assert.equal(newestText(storage, first + 2), 'short')
    })

    const { recordLimit } = context.options
    if (recordLimit !== undefined) {
      it('refuses a record longer than the limit, and stores nothing of its transaction', async () => {
        const { storage } = context
        const first = storage.allocateOids(2)
        const tooLong = { oid: first, data: new Uint8Array(recordLimit + 1) }
        await rejectsWith('PERDURE_RECORD_TOO_LARGE', () => commit(storage, [write(first + 1, 'with it'), tooLong]))
        assert.equal(newestText(storage, first + 1), undefined)
        assert.equal(await commit(storage, [write(first + 1, 'afterwards')]), 1)
      })
    }

    it('takes notes of up to 65,535 bytes of UTF-8', async () => {
      const { storage } = context
      const noted = (note: string) => storage.commit({ base: 0, reads: [], writes: [one(storage)], note })
      assert.equal((await noted('')).tid, 1)
      assert.equal((await noted('moved \u{1f4b0} from ada to grace')).tid, 2)
      assert.equal((await noted('n'.repeat(65_535))).tid, 3)
      await rejectsWith('PERDURE_LIMIT', () => noted('n'.repeat(65_536)))
      await rejectsWith('PERDURE_LIMIT', () => noted('\u00e9'.repeat(32_768)))
      assert.equal(newestTid(storage), 3)
    })
  })
}

function one(storage: Storage): RecordWrite {
  return write(storage.allocateOids(1), 'one')
}

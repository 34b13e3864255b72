import assert from 'node:assert/strict'
import { ROOT_OID } from '../core/oid.js'
import { recordClassName } from '../core/record.js'
import {
  atNewest,
  commit,
  listNewest,
  listRecords,
  newestText,
  rejectsWith,
  SUITE_CLASS,
  type SuiteContext,
  type TestHarness,
  textOf,
  throwsWith,
  write,
} from './suite-context.js'

/** What a snapshot shows, and that it stays so. */
export function declareSnapshotTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('snapshot', () => {
    it('of an empty storage has tid 0 and shows nothing', async () => {
      const snapshot = context.storage.snapshot()
      assert.equal(snapshot.tid, 0)
      assert.equal(snapshot.load(ROOT_OID), undefined)
      assert.equal(snapshot.load(12_345), undefined)
      assert.deepEqual(await snapshot.loadMany([ROOT_OID, 1]), [undefined, undefined])
      assert.deepEqual(await listRecords(snapshot), [])
      snapshot.release()
    })

    it('shows the newest committed state, with the transaction that wrote each record', async () => {
      const { storage } = context
      const first = storage.allocateOids(2)
      await commit(storage, [write(ROOT_OID, 'root'), write(first, 'a1'), write(first + 1, 'b1')])
      await commit(storage, [write(first, 'a2', [ROOT_OID])])
      atNewest(storage, (snapshot) => {
        assert.equal(snapshot.tid, 2)
        const record = snapshot.load(first)
        assert.ok(record)
        assert.deepEqual([record.oid, record.tid, textOf(record)], [first, 2, 'a2'])
        assert.equal(recordClassName(record.data), SUITE_CLASS)
        assert.equal(snapshot.load(first + 1)?.tid, 1)
      })
      assert.deepEqual(await listNewest(storage), [
        [ROOT_OID, 1, 'root'],
        [first, 2, 'a2'],
        [first + 1, 1, 'b1'],
      ])
    })

    it('gives back the very bytes that were committed', async () => {
      const { storage } = context
      const oid = storage.allocateOids(1)
      const { data } = write(oid, 'exact \u{1f600} bytes', [ROOT_OID, oid, ROOT_OID])
      await commit(storage, [write(ROOT_OID, 'root'), { oid, data }])
      const loaded = atNewest(storage, (snapshot) => Uint8Array.from(snapshot.load(oid)?.data ?? []))
      assert.deepEqual(loaded, Uint8Array.from(data))
    })

    it('does not change under later commits', async () => {
      const { storage } = context
      const first = storage.allocateOids(3)
      await commit(storage, [write(first, 'a1'), write(first + 1, 'b1')])
      const held = storage.snapshot()
      for (let round = 2; round < 20; round++) {
        await commit(storage, [write(first, `a${round}`), write(first + 2, `c${round}`)])
      }
      assert.equal(held.tid, 1)
      assert.equal(textOf(held.load(first)), 'a1')
      assert.equal(held.load(first + 2), undefined)
      const many = await held.loadMany([first + 1, first, first + 2])
      assert.deepEqual(many.map(textOf), ['b1', 'a1', undefined])
      assert.deepEqual(await listRecords(held), [
        [first, 1, 'a1'],
        [first + 1, 1, 'b1'],
      ])
      held.release()
    })

    it('keeps each of many snapshots readable, whatever the order of their release', async () => {
      const { storage } = context
      const oid = storage.allocateOids(1)
      const held = []
      for (let round = 1; round <= 12; round++) {
        await commit(storage, [write(oid, `v${round}`)])
        held.push({ snapshot: storage.snapshot(), text: `v${round}` })
        if (round % 3 === 0) held.push({ snapshot: storage.snapshot(), text: `v${round}` })
      }
      for (const at of [5, 0, 9, 9, 1, 7, 2, 8, 0, 3]) {
        const [released] = held.splice(at % held.length, 1)
        released?.snapshot.release()
        for (const { snapshot, text } of held) assert.equal(textOf(snapshot.load(oid)), text)
      }
      for (const { snapshot } of held) snapshot.release()
      assert.equal(newestText(storage, oid), 'v12')
    })

    it('lists its records once each while commits go on', async () => {
      const { storage } = context
      const first = storage.allocateOids(1000)
      const oids = Array.from({ length: 500 }, (_, i) => first + i)
      await commit(
        storage,
        oids.map((oid) => write(oid, 'old')),
      )
      const held = storage.snapshot()
      const seen: string[] = []
      for await (const record of held.records()) {
        seen.push(`${record.oid} ${textOf(record)}`)
        if (seen.length % 50 === 1) {
          const at = seen.length - 1
          await commit(storage, [write(first + at, 'new'), write(first + 500 + at, 'new')])
        }
      }
      held.release()
      assert.deepEqual(seen.sort(), oids.map((oid) => `${oid} old`).sort())
    })

    it('loads many in the order asked, repeated and missing ones included', async () => {
      const { storage } = context
      const first = storage.allocateOids(3000)
      const oids = Array.from({ length: 3000 }, (_, i) => first + i)
      await commit(
        storage,
        oids.filter((oid) => oid % 3 !== 0).map((oid) => write(oid, `text ${oid}`)),
      )
      const asked = [...oids, ...oids].reverse()
      const snapshot = storage.snapshot()
      const records = await snapshot.loadMany(asked)
      assert.deepEqual(await snapshot.loadMany([]), [])
      snapshot.release()
      assert.deepEqual(
        records.map(textOf),
        asked.map((oid) => (oid % 3 === 0 ? undefined : `text ${oid}`)),
      )
    })

    it('counts what is loaded', async () => {
      const { storage } = context
      await commit(storage, [write(ROOT_OID, 'root')])
      const before = storage.statistics().loads
      atNewest(storage, (snapshot) => snapshot.load(ROOT_OID))
      assert.equal(storage.statistics().loads, before + 1)
    })
  })

  declareReleaseTests(context, { describe, it })
}

function declareReleaseTests(context: SuiteContext, { describe, it }: Pick<TestHarness, 'describe' | 'it'>): void {
  describe('snapshot.release', () => {
    it('may be called more than once, and lets nothing more be read', async () => {
      const { storage } = context
      await commit(storage, [write(ROOT_OID, 'root')])
      const snapshot = storage.snapshot()
      const started = snapshot.records()[Symbol.asyncIterator]()
      snapshot.release()
      snapshot.release()
      assert.equal(snapshot.tid, 1)
      throwsWith('PERDURE_CLOSED', () => snapshot.load(ROOT_OID))
      await rejectsWith('PERDURE_CLOSED', () => snapshot.loadMany([ROOT_OID]))
      await rejectsWith('PERDURE_CLOSED', () => listRecords(snapshot))
      await rejectsWith('PERDURE_CLOSED', () => started.next())
    })

    it('leaves other snapshots of the same transaction alone, even when called twice', async () => {
      const { storage } = context
      const oid = storage.allocateOids(1)
      await commit(storage, [write(oid, 'old')])
      const first = storage.snapshot()
      const second = storage.snapshot()
      const third = storage.snapshot()
      await commit(storage, [write(oid, 'new')])
      first.release()
      first.release()
      first.release()
      assert.equal(textOf(second.load(oid)), 'old')
      second.release()
      assert.equal(textOf(third.load(oid)), 'old')
      third.release()
      assert.equal(newestText(storage, oid), 'new')
    })
  })
}

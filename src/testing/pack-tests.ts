import assert from 'node:assert/strict'
import { type Oid, ROOT_OID } from '../core/oid.js'
import type { PackProgress, Storage } from '../core/storage.js'
import {
  assertChanges,
  commit,
  conflictsOf,
  listNewest,
  listRecords,
  newestText,
  newestTid,
  nextTurn,
  rejectsWith,
  type SuiteContext,
  type TestHarness,
  textOf,
  write,
} from './suite-context.js'

const PHASES: readonly PackProgress['phase'][] = ['scan', 'mark', 'copy', 'catch-up', 'switch']

/** What a pack removes, and what it must leave alone. */
export function declarePackTests(context: SuiteContext, { describe, it }: TestHarness): void {
  if (!context.can('pack')) {
    describe('pack', () => {
      it('is refused by a storage that cannot', () => rejectsWith('PERDURE_UNSUPPORTED', () => context.storage.pack()))
    })
    return
  }

  describe('pack', () => {
    it('removes what cannot be reached from the root, cycles included', async () => {
      const { storage } = context
      const first = await family(storage)
      const { objectsBefore, objectsAfter, bytesBefore, bytesAfter } = await storage.pack()
      assert.deepEqual([objectsBefore, objectsAfter], [7, 4])
      assert.ok(bytesAfter < bytesBefore, `${bytesBefore} bytes before, ${bytesAfter} after`)
      assert.deepEqual(await listNewest(storage), [
        [ROOT_OID, 1, 'root'],
        [first, 1, 'child'],
        [first + 1, 1, 'grandchild'],
        [first + 2, 1, 'in a cycle'],
      ])
      const removed = [first + 3, first + 4, first + 5]
      for (const lost of removed) assert.equal(newestText(storage, lost), undefined)
      assertChanges(storage, 1, newestTid(storage), removed)
    })

    it('removes everything when there is no root, and nothing from an empty storage', async () => {
      const { storage } = context
      assert.deepEqual((await storage.pack()).objectsAfter, 0)
      await commit(storage, [write(storage.allocateOids(1), 'adrift')])
      assert.equal((await storage.pack()).objectsAfter, 0)
      assert.deepEqual(await listNewest(storage), [])
    })

    it('can be repeated', async () => {
      const { storage } = context
      await family(storage)
      await storage.pack()
      const before = await listNewest(storage)
      const again = await storage.pack()
      assert.deepEqual([again.objectsBefore, again.objectsAfter], [4, 4])
      assert.deepEqual(await listNewest(storage), before)
    })

    it('removes superseded versions', async () => {
      const { storage } = context
      for (let round = 0; round < 20; round++) await commit(storage, [write(ROOT_OID, 'text '.repeat(2000 + round))])
      const { objectsBefore, objectsAfter, bytesAfter } = await storage.pack()
      assert.deepEqual([objectsBefore, objectsAfter], [1, 1])
      assert.ok(bytesAfter < 3 * 10_100, `${bytesAfter} bytes`)
    })

    it('does not give out the oids of removed objects again', async () => {
      const { storage } = context
      const first = await family(storage)
      await storage.pack()
      assert.ok(storage.allocateOids(1) > first + 5)
    })

    it('follows long chains', async () => {
      const { storage } = context
      const count = 20_000
      const first = storage.allocateOids(count)
      const chain = Array.from({ length: count }, (_, i) =>
        write(first + i, 'link', i + 1 < count ? [first + i + 1] : []),
      )
      await commit(storage, [write(ROOT_OID, 'root', [first]), ...chain])
      assert.equal((await storage.pack()).objectsAfter, count + 1)
    })
  })

  declarePackOptionTests(context, { describe, it })
  declareConcurrentPackTests(context, { describe, it })
}

function declarePackOptionTests(context: SuiteContext, { describe, it }: Pick<TestHarness, 'describe' | 'it'>): void {
  describe('pack with options', () => {
    it('says how far it has come, phase by phase, and ends with all that is left', async () => {
      const { storage } = context
      await family(storage)
      const seen: PackProgress[] = []
      const result = await storage.pack({ onProgress: (progress) => seen.push(progress) })
      const phases = seen.map(({ phase }) => PHASES.indexOf(phase))
      assert.deepEqual(phases, phases.toSorted(ascending))
      for (const { objects, objectsTotal, bytes, bytesTotal, remainingMs } of seen) {
        assert.ok(objects <= objectsTotal && bytes <= bytesTotal, `${objects} of ${objectsTotal} objects`)
        assert.ok(remainingMs === undefined || remainingMs >= 0, `${remainingMs} ms`)
      }
      assert.equal(seen.at(-1)?.phase, 'switch')
      assert.equal(seen.at(-1)?.objects, result.objectsAfter)
    })

    it('can be given up at every phase, and then nothing has changed', async () => {
      const { storage } = context
      const first = await family(storage)
      const before = await listNewest(storage)
      const reason = new Error('enough')
      await assert.rejects(storage.pack({ signal: AbortSignal.abort(reason) }), reason)
      const phases = new Set<string>()
      for (;;) {
        const controller = new AbortController()
        const onProgress = ({ phase }: PackProgress) => {
          if (phases.size === phases.add(phase).size || phase === 'switch') return
          controller.abort(reason)
        }
        const outcome = await storage.pack({ onProgress, signal: controller.signal }).catch((error: unknown) => error)
        if (outcome !== reason) break
        assert.deepEqual(await listNewest(storage), before)
        assert.equal(newestTid(storage), 1)
      }
      assert.ok(phases.size > 1, 'it was given up at least once')
      assert.equal(newestText(storage, first + 3), undefined)
    })

    it('keeps history only if it has one', async () => {
      const { storage } = context
      await family(storage)
      if (!context.can('history')) await rejectsWith('PERDURE_UNSUPPORTED', () => storage.pack({ retain: { tid: 1 } }))
      else assert.equal((await storage.pack({ retain: { tid: 1 } })).historyFrom, 1)
    })
  })

  if (context.can('history')) declareRetentionTests(context, { describe, it })
}

function declareRetentionTests(context: SuiteContext, { describe, it }: Pick<TestHarness, 'describe' | 'it'>): void {
  describe('pack with history', () => {
    it('keeps every state from a transaction on, with all that could be reached in any of them', async () => {
      const { storage } = context
      const first = storage.allocateOids(3)
      await commit(storage, [write(ROOT_OID, 'one', [first]), write(first, 'a'), write(first + 2, 'lost')])
      await commit(storage, [write(ROOT_OID, 'two', [first, first + 1]), write(first + 1, 'b')])
      await commit(storage, [write(first, 'a again')])
      await commit(storage, [write(ROOT_OID, 'four')])
      const { historyFrom } = await storage.pack({ retain: { transactions: 2 } })
      assert.equal(historyFrom, 2)
      const states = []
      for (const tid of [2, 3, 4]) {
        const snapshot = await storage.snapshotAt(tid)
        states.push((await listRecords(snapshot)).map(([oid, , text]) => [oid, text]))
        snapshot.release()
      }
      const b = [first + 1, 'b']
      assert.deepEqual(states, [
        [[ROOT_OID, 'two'], [first, 'a'], b],
        [[ROOT_OID, 'two'], [first, 'a again'], b],
        [[ROOT_OID, 'four'], [first, 'a again'], b],
      ])
      await rejectsWith('PERDURE_HISTORY', () => storage.snapshotAt(1))
      await rejectsWith('PERDURE_HISTORY', () => storage.pack({ retain: { tid: 1 } }))
      await rejectsWith('PERDURE_ARGUMENT', () => storage.pack({ retain: { tid: 1000 } }))
    })
  })
}

function declareConcurrentPackTests(
  context: SuiteContext,
  { describe, it }: Pick<TestHarness, 'describe' | 'it'>,
): void {
  describe('pack while others work', () => {
    it('leaves open snapshots unchanged', async () => {
      const { storage } = context
      const first = await family(storage)
      const atFirst = storage.snapshot()
      await commit(storage, [write(ROOT_OID, 'empty root'), write(first + 3, 'changed')])
      const atSecond = storage.snapshot()
      const before = [await listRecords(atFirst), await listRecords(atSecond)]
      await storage.pack()
      await commit(storage, [write(first + 1, 'changed after the pack')])
      await storage.pack()
      assert.deepEqual([await listRecords(atFirst), await listRecords(atSecond)], before)
      assert.equal(textOf(atFirst.load(first + 5)), 'lost in a cycle')
      atFirst.release()
      assert.deepEqual(await listRecords(atSecond), before[1])
      atSecond.release()
      await storage.pack()
      assert.deepEqual(await listNewest(storage), [[ROOT_OID, 2, 'empty root']])
    })

    it('keeps what a transaction under way links to, or makes it a conflict', async () => {
      const { storage } = context
      const first = await family(storage)
      const held = storage.snapshot()
      await commit(storage, [write(ROOT_OID, 'empty root', [first + 2]), write(first + 2, 'linked')])
      await storage.pack()
      const refound = storage.allocateOids(1)
      const moved = [write(refound, 'new parent', [first])]
      const { conflicts } = await storage.commit({ base: held.tid, reads: [first], writes: moved })
      held.release()
      if (conflicts !== undefined) {
        assert.deepEqual(
          conflicts.map(({ oid }) => oid),
          [first],
        )
        assert.equal(newestText(storage, first), undefined)
        return
      }
      await commit(storage, [write(ROOT_OID, 'root', [refound])])
      await storage.pack()
      assert.equal(newestText(storage, first), 'child')
      assert.equal(newestText(storage, first + 1), 'grandchild')
    })

    it('keeps what is committed meanwhile', async () => {
      const { storage } = context
      const first = storage.allocateOids(2000)
      const kept = Array.from({ length: 1000 }, (_, i) => first + i)
      const written = kept.map((oid) => write(oid, 'kept'))
      const lost = kept.map((oid) => write(oid + 1000, 'lost'))
      await commit(storage, [write(ROOT_OID, 'root', kept), ...written, ...lost])
      let packing = true
      const pack = storage.pack().finally(() => {
        packing = false
      })
      const linked = [...kept]
      for (let round = 0; packing || round < 5; round++) {
        const fresh = storage.allocateOids(1)
        linked.push(fresh)
        const changed = write(first + (round % 1000), 'changed')
        await commit(storage, [write(ROOT_OID, 'root', linked), write(fresh, 'fresh'), changed])
        await nextTurn()
      }
      await pack
      const newest = new Map((await listNewest(storage)).map(([oid, , text]) => [oid, text]))
      for (const oid of linked) assert.ok(newest.has(oid), `object ${oid} is gone`)
      assert.equal(newest.get(first), 'changed')
      await storage.pack()
      assert.equal((await listNewest(storage)).length, linked.length + 1)
    })

    it('does not make conflicts, nor forget them', async () => {
      const { storage } = context
      const first = await family(storage)
      const held = storage.snapshot()
      await commit(storage, [write(first, 'changed', [first + 1])])
      await storage.pack()
      await conflictsOf(storage, { base: held.tid, reads: [first], writes: [] }, [first])
      await conflictsOf(storage, { base: held.tid, reads: [first + 1], writes: [write(first + 2, 'fine')] }, [])
      const removed = [first + 3, first + 4, first + 5]
      assertChanges(storage, 1, newestTid(storage), [first, first + 2, ...removed])
      held.release()
    })

    it('may be refused, but only as busy, while another pack runs', async () => {
      const { storage } = context
      await family(storage)
      const packs = await Promise.allSettled([storage.pack(), storage.pack(), storage.pack()])
      assert.equal(packs[0]?.status, 'fulfilled')
      for (const pack of packs) if (pack.status === 'rejected') assert.equal(pack.reason.code, 'PERDURE_BUSY')
      assert.equal((await listNewest(storage)).length, 4)
    })
  })
}

/** The root, three objects it reaches (one cycle), and three it does not (one cycle); all of transaction 1. */
async function family(storage: Storage): Promise<Oid> {
  const first = storage.allocateOids(6)
  await commit(storage, [
    write(ROOT_OID, 'root', [first, first + 2]),
    write(first, 'child', [first + 1, first + 1]),
    write(first + 1, 'grandchild', [ROOT_OID]),
    write(first + 2, 'in a cycle', [first + 2]),
    write(first + 3, 'lost', [first + 1]),
    write(first + 4, 'lost in a cycle', [first + 5]),
    write(first + 5, 'lost in a cycle', [first + 4, ROOT_OID]),
  ])
  return first
}

function ascending(a: number, b: number): number {
  return a - b
}

import assert from 'node:assert/strict'
import { type Oid, ROOT_OID, type Tid } from '../core/oid.js'
import { decodeRecord, encodeRecord } from '../core/record.js'
import { Reference } from '../core/reference.js'
import type { RecordBatch, RecordWrite, Snapshot, Storage } from '../core/storage.js'
import { Random } from './random.js'
import { commit, rejectsWith, type SuiteContext, type TestHarness } from './suite-context.js'

/** Enough for several batches of any storage. */
const MANY = 10_000

/** What a scan tells of one object. */
interface ScannedObject {
  readonly oid: Oid
  readonly tid: Tid
  readonly bytes: number
  readonly className: string
  readonly references: readonly Oid[]
}

/** What `Snapshot.scan` gives: the same objects as `Snapshot.records`. */
export function declareScanTests(context: SuiteContext, { describe, it }: TestHarness): void {
  describe('snapshot.scan', () => {
    it('gives nothing of an empty storage', async () => {
      assert.deepEqual(await scanned(context.storage.snapshot()), [])
    })

    it('tells class, size, transaction and references of each object', async () => {
      const { storage } = context
      const first = storage.allocateOids(2)
      const root = object(ROOT_OID, 'Root', [first + 1, first, first + 1], 10)
      const late = object(first, 'Leaf', [], 300)
      await commit(storage, [root, object(first, 'Leaf', [], 2), object(first + 1, 'Ast \u{1f600}', [ROOT_OID])])
      await commit(storage, [late])
      assert.deepEqual(await scanned(storage.snapshot()), [
        {
          oid: ROOT_OID,
          tid: 1,
          bytes: root.data.length,
          className: 'Root',
          references: [first + 1, first, first + 1],
        },
        { oid: first, tid: 2, bytes: late.data.length, className: 'Leaf', references: [] },
        { ...(await listed(storage.snapshot()))[2], className: 'Ast \u{1f600}', references: [ROOT_OID] },
      ])
    })

    it('gives the objects of its transaction, once each, while commits go on', async () => {
      const { storage } = context
      const random = new Random(context.options.seed ?? 1)
      const oids = await commitMany(storage, random)
      const change = (count: number) => {
        const changed = new Set(Array.from({ length: count }, () => random.pick(oids)))
        return commit(
          storage,
          Array.from(changed, (oid) => object(oid, 'New', [random.pick(oids)], random.below(50))),
        )
      }
      for (let round = 0; round < 5; round++) await change(1000)
      const held = storage.snapshot()
      const expected = await listed(held)
      for (let round = 0; round < 5; round++) await change(1000)
      const objects: ScannedObject[] = []
      for await (const batch of held.scan()) {
        objects.push(...objectsOf(batch))
        await change(10)
      }
      assert.deepEqual(byOid(objects), expected)
      assert.deepEqual(await scanned(storage.snapshot()), await listed(storage.snapshot()))
      held.release()
    })

    it('copes with objects that have very many references, or are very large', async () => {
      const { storage } = context
      const first = storage.allocateOids(300)
      const oids = Array.from({ length: 300 }, (_, i) => first + i)
      const references = Array.from({ length: 70_000 }, (_, i) => first + (i % 300))
      await commit(storage, [
        object(ROOT_OID, 'Root', references),
        ...oids.map((oid, i) => object(oid, `Class ${i}`, i % 100 === 0 ? references : [ROOT_OID], 100)),
      ])
      await commit(storage, [object(first, 'Large', [ROOT_OID], 3_000_000), object(first + 1, 'Small', [])])
      const snapshot = storage.snapshot()
      assert.deepEqual(await scanned(snapshot), await listed(snapshot))
      snapshot.release()
    })

    it('gives the same through every handle', async () => {
      const { storage } = context
      await commitMany(storage, new Random(5))
      const expected = await listed(storage.snapshot())
      if (context.can('threads')) assert.deepEqual(await scanned((await context.share()).snapshot()), expected)
      if (context.can('readers')) assert.deepEqual(await scanned((await context.openReadonly()).snapshot()), expected)
      if (context.can('persistent')) assert.deepEqual(await scanned((await context.reopen()).snapshot()), expected)
      assert.equal(expected.length, MANY + 1)
    })

    it('gives what its snapshot sees, though a pack has removed it', async () => {
      if (!context.can('pack')) return
      const { storage } = context
      await commitMany(storage, new Random(6))
      const held = storage.snapshot()
      const expected = await listed(held)
      const begun = held.scan()[Symbol.asyncIterator]()
      const first = await begun.next()
      await commit(storage, [object(ROOT_OID, 'Root')])
      await storage.pack()
      const objects = first.done ? [] : objectsOf(first.value)
      for (let turn = await begun.next(); turn.done !== true; turn = await begun.next()) {
        objects.push(...objectsOf(turn.value))
      }
      assert.deepEqual(byOid(objects), expected)
      assert.deepEqual(await scanned(held), expected)
      held.release()
      // A storage may keep what an open snapshot sees.
      await storage.pack()
      const packed = await scanned(storage.snapshot())
      assert.deepEqual(
        packed.map(({ oid }) => oid),
        [ROOT_OID],
      )
    })

    it('can be given up, and begun anew', async () => {
      const { storage } = context
      await commitMany(storage, new Random(2))
      const snapshot = storage.snapshot()
      for (let round = 0; round < 3; round++) {
        for await (const batch of snapshot.scan()) {
          assert.ok(batch.oids.length > 0)
          break
        }
      }
      assert.deepEqual(await scanned(snapshot), await listed(snapshot))
      snapshot.release()
    })

    it('ends with an error when the snapshot has been released', async () => {
      const { storage } = context
      await commitMany(storage, new Random(3))
      const snapshot = storage.snapshot()
      const fresh = snapshot.scan()[Symbol.asyncIterator]()
      const started = snapshot.scan()[Symbol.asyncIterator]()
      assert.equal((await started.next()).done, false)
      const waiting = started.next()
      snapshot.release()
      await rejectsWith('PERDURE_CLOSED', async () => {
        await waiting
        await started.next()
      })
      await rejectsWith('PERDURE_CLOSED', () => fresh.next())
      await rejectsWith('PERDURE_CLOSED', () => scanned(snapshot))
    })

    it('ends with an error when the storage has been closed', async () => {
      const { storage } = context
      await commitMany(storage, new Random(4))
      const snapshot = storage.snapshot()
      const started = snapshot.scan()[Symbol.asyncIterator]()
      assert.equal((await started.next()).done, false)
      await storage.close()
      await rejectsWith('PERDURE_CLOSED', async () => {
        for (let turn = await started.next(); turn.done !== true; turn = await started.next());
      })
    })
  })
}

function object(oid: Oid, className: string, references: readonly Oid[] = [], stateBytes = 0): RecordWrite {
  const targets = references.map((target) => new Reference(target, 'Target'))
  return { oid, data: encodeRecord(className, targets, new Uint8Array(stateBytes)) }
}

/** Commits {@link MANY} objects that refer to each other. Returns their oids. */
async function commitMany(storage: Storage, random: Random): Promise<Oid[]> {
  const first = storage.allocateOids(MANY)
  const oids = Array.from({ length: MANY }, (_, i) => first + i)
  const referencesOf = () => Array.from({ length: random.below(4) }, () => random.pick(oids))
  const writes = oids.map((oid) => object(oid, `Class ${oid % 7}`, referencesOf(), random.below(200)))
  await commit(storage, [object(ROOT_OID, 'Root', [first]), ...writes])
  return oids
}

async function scanned(snapshot: Snapshot): Promise<ScannedObject[]> {
  const objects: ScannedObject[] = []
  for await (const batch of snapshot.scan()) objects.push(...objectsOf(batch))
  return byOid(objects)
}

function objectsOf(batch: RecordBatch): ScannedObject[] {
  const { oids, referenceEnds, references } = batch
  assert.equal(referenceEnds.at(-1) ?? 0, references.length)
  return Array.from(oids, (oid, i) => ({
    oid,
    tid: batch.tids[i] as Tid,
    bytes: batch.bytes[i] as number,
    className: batch.classNames[batch.classes[i] as number] as string,
    references: [...references.subarray(referenceEnds[i - 1] ?? 0, referenceEnds[i])],
  }))
}

/** What {@link scanned} should be. */
async function listed(snapshot: Snapshot): Promise<ScannedObject[]> {
  const objects: ScannedObject[] = []
  for await (const { oid, tid, data } of snapshot.records()) {
    const { className, references } = decodeRecord(data)
    objects.push({ oid, tid, bytes: data.length, className, references: references.map((reference) => reference.oid) })
  }
  return byOid(objects)
}

function byOid(objects: ScannedObject[]): ScannedObject[] {
  return objects.sort((a, b) => a.oid - b.oid)
}

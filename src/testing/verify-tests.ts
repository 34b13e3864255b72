import assert from 'node:assert/strict'
import { type Oid, ROOT_OID } from '../core/oid.js'
import { encodeRecord } from '../core/record.js'
import { Reference } from '../core/reference.js'
import type { RecordWrite, VerifyProgress } from '../core/storage.js'
import { commit, rejectsWith, type SuiteContext, type TestHarness } from './suite-context.js'

/** What `verify` finds. Damage to the bytes is a matter of each storage's own tests. */
export function declareVerifyTests(context: SuiteContext, { describe, it }: TestHarness): void {
  if (!context.can('verify')) {
    describe('verify', () => {
      it('is refused by a storage that cannot', () =>
        rejectsWith('PERDURE_UNSUPPORTED', () => context.storage.verify()))
    })
    return
  }
  const { states } = context.options
  assert(states, 'the capability verify needs the option states')
  const record = (oid: Oid, className: string, references: Reference[] = [], state = states.sound): RecordWrite => ({
    oid,
    data: encodeRecord(className, references, state),
  })

  describe('verify', () => {
    it('finds nothing wrong with a sound storage, and counts its objects by class', async () => {
      const { storage } = context
      const first = storage.allocateOids(5)
      const leaves = [1, 2, 3, 4].map((i) => record(first + i, 'Leaf'))
      const references = leaves.map((leaf) => new Reference(leaf.oid, 'Leaf'))
      await commit(storage, [record(first, 'Tree', references), ...leaves])
      await commit(storage, [record(ROOT_OID, 'Root', [new Reference(first, 'Tree')])])
      const progress: VerifyProgress[] = []
      const report = await storage.verify({ onProgress: (step) => progress.push(step) })
      assert.deepEqual([report.problems, report.problemCount, report.objects], [[], 0, 6])
      assert.deepEqual(new Map(report.classes), new Map(Object.entries({ Root: 1, Tree: 1, Leaf: 4 })))
      const last = progress.at(-1)
      assert.deepEqual([last?.objects, last?.objectsTotal], [6, 6])
      assert.equal(last?.bytes, last?.bytesTotal)
    })

    it('reports references of the wrong class, and states that cannot be decoded', async () => {
      const { storage } = context
      const first = storage.allocateOids(3)
      await commit(storage, [
        record(ROOT_OID, 'Root', [new Reference(first, 'Leaf')]),
        record(first, 'Leaf'),
        record(first + 1, 'Tree', [new Reference(first, 'Branch')]),
        record(first + 2, 'Leaf', [], states.undecodable),
      ])
      const { problems, problemCount } = await storage.verify()
      const found = problems.map(({ kind, oid }) => `${oid} ${kind}`).sort()
      assert.deepEqual(found, [`${first + 1} wrong-class`, `${first + 2} undecodable`])
      assert.equal(problemCount, 2)
    })

    it('looks at the newest versions only', async () => {
      const { storage } = context
      await commit(storage, [record(ROOT_OID, 'Root', [new Reference(ROOT_OID, 'Branch')], states.undecodable)])
      await commit(storage, [record(ROOT_OID, 'Root')])
      assert.deepEqual((await storage.verify()).problems, [])
    })

    it('stops when told, with the reason given', async () => {
      const { storage } = context
      await commit(storage, [record(ROOT_OID, 'Root')])
      const reason = new Error('enough')
      await assert.rejects(storage.verify({ signal: AbortSignal.abort(reason) }), reason)
    })
  })
}

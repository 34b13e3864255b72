import { declareCommitTests } from './commit-tests.js'
import { declareConflictTests } from './conflict-tests.js'
import { declareHandleTests } from './handle-tests.js'
import { declareHistoryTests } from './history-tests.js'
import { declareModelTests } from './model-tests.js'
import { declarePackTests } from './pack-tests.js'
import { declarePersistenceTests } from './persistence-tests.js'
import { declareReferenceTests } from './reference-tests.js'
import { declareRestoreTests } from './restore-tests.js'
import { declareScanTests } from './scan-tests.js'
import { declareSnapshotTests } from './snapshot-tests.js'
import { type StorageSuiteOptions, SuiteContext, type TestHarness } from './suite-context.js'
import { declareVerifyTests } from './verify-tests.js'

export { type StorageSuiteOptions, SUITE_SERIALIZER, type TestHarness } from './suite-context.js'

/**
 * Declares the tests that every storage passes: the contract in core/storage.ts, sentence by sentence.
 *
 * @example
 * storageSuite({
 *   name: 'MemoryStorage',
 *   capabilities: ['pack', 'restore'],
 *   create: async ({ serializer }) => new MemoryStorage({ serializer }),
 * })
 */
export function storageSuite(options: StorageSuiteOptions): void {
  const harness = options.harness ?? (globalThis as unknown as TestHarness)
  const context = new SuiteContext(options)
  harness.describe(`storage contract: ${options.name}`, () => {
    harness.beforeEach(() => context.setUp())
    harness.afterEach(() => context.tearDown())
    declareHandleTests(context, harness)
    declareSnapshotTests(context, harness)
    declareScanTests(context, harness)
    declareCommitTests(context, harness)
    declareConflictTests(context, harness)
    declareReferenceTests(context, harness)
    declareRestoreTests(context, harness)
    declareHistoryTests(context, harness)
    declarePackTests(context, harness)
    declarePersistenceTests(context, harness)
    declareVerifyTests(context, harness)
    declareModelTests(context, harness)
  })
}

import fc from 'fast-check'
import { MODEL_OBJECTS, type ModelCommand } from '../../src/testing/storage-model.js'

const object = fc.nat(MODEL_OBJECTS - 1)
const snapshot = fc.integer({ min: -1, max: 20 })
const transaction = fc.record({
  snapshot,
  reads: fc.array(object, { maxLength: 3 }),
  writes: fc.array(fc.record({ object, references: fc.array(object, { maxLength: 3 }) }), { maxLength: 4 }),
  dangling: fc.nat(9).map((dice) => dice === 9),
})

const command: fc.Arbitrary<ModelCommand> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      together: fc.array(transaction, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('snapshot' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), snapshot: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), snapshot }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('changes' as const), after: fc.nat(50), span: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pack' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)

/** Programs for `runModel` that fast-check can shrink to the shortest one that fails. */
export const modelProgram: fc.Arbitrary<ModelCommand[]> = fc.array(command, { maxLength: 60, size: 'max' })

import { MODEL_OBJECTS, type ModelCommand, type ModelTransaction, runModel } from './storage-model.js'
import type { SuiteContext, TestHarness } from './suite-context.js'

const PROGRAMS = 10
const STEPS = 80

/** Random programs, each run against the storage and against a model of it. */
export function declareModelTests(context: SuiteContext, { describe, it }: TestHarness): void {
  const { options } = context
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32)

  describe('random program', () => {
    for (let number = 0; number < PROGRAMS; number++) {
      it(`${number + 1} of seed ${seed} has the results of the model`, async () => {
        const random = new Random(seed + number)
        const program = Array.from({ length: STEPS }, () => randomCommand(random, context))
        await runModel(context.storage, program, { reopen: () => context.reopen() })
      })
    }
  })
}

function randomCommand(random: Random, context: SuiteContext): ModelCommand {
  const dice = random.below(100)
  if (dice < 50) return { kind: 'commit', together: random.list(1, 3, () => randomTransaction(random)) }
  if (dice < 65) return { kind: 'snapshot' }
  if (dice < 77) return { kind: 'release', snapshot: random.below(100) }
  if (dice < 87) return { kind: 'read', snapshot: random.below(100) }
  if (dice < 93) return { kind: 'changes', after: random.below(100), span: random.below(20) }
  if (dice < 97 && context.can('pack')) return { kind: 'pack' }
  if (context.can('persistent')) return { kind: 'reopen' }
  return { kind: 'read', snapshot: 0 }
}

function randomTransaction(random: Random): ModelTransaction {
  const object = () => random.below(MODEL_OBJECTS)
  return {
    // The newest snapshot more often than not, or nearly everything would conflict.
    snapshot: random.below(2) === 0 ? -1 : random.below(100),
    reads: random.list(0, 2, object),
    writes: random.list(0, 3, () => ({ object: object(), references: random.list(0, 3, object) })),
    dangling: random.below(10) === 0,
  }
}

/** The generator mulberry32 of Tommy Ettinger (public domain): small, and the same everywhere. */
class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  list<T>(least: number, most: number, item: () => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, item)
  }
}

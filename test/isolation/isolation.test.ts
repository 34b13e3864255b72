import { expect } from 'chai'
import type { Isolation } from '../../src/core/connection-options.js'
import type { Storage } from '../../src/core/storage.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { checkHistory } from './checker.js'
import { expectContention, kindsOf } from './contention.js'
import type { AnomalyKind, History } from './history.js'
import {
  EarlyAnswer,
  LostCommit,
  LostInvalidation,
  MixedSnapshot,
  SkippedReadValidation,
  SkippedValidation,
  TornCommit,
} from './planted-bugs.js'
import { type Setting, settings } from './settings.js'
import { recordHistory } from './workload.js'

const seed = runSeed()

/** Short histories of a storage with a bug, nearly every one of which should show it. */
const MAX_ROUNDS = 20

/** Of each storage and isolation level. */
const TRANSACTIONS = 3000

type Plant = (inner: Storage, random: Random) => Storage

/** Each bug, and the anomalies one of which gives it away. */
const bugs: readonly [name: string, plant: Plant, signs: readonly AnomalyKind[]][] = [
  ['skips the validation of reads', (inner) => new SkippedReadValidation(inner), ['G2']],
  ['skips validation', (inner) => new SkippedValidation(inner), ['lost-append', 'incompatible-order', 'G-single']],
  [
    'loses an invalidation',
    (inner, random) => new LostInvalidation(inner, random),
    ['lost-append', 'incompatible-order', 'G-single', 'G1c'],
  ],
  ['answers before it publishes', (inner) => new EarlyAnswer(inner), ['G-single']],
  ['publishes a commit in two parts', (inner) => new TornCommit(inner), ['G-single', 'lost-append']],
  ['acknowledges a commit and drops it', (inner, random) => new LostCommit(inner, random), ['lost-append']],
  ['gives snapshots of two transactions', (inner) => new MixedSnapshot(inner), ['G-single', 'incompatible-order']],
]

async function record({ create, clients, threads }: Setting, isolation: Isolation): Promise<History> {
  return recordHistory(await create(), { clients, threads, transactions: TRANSACTIONS, seed, isolation })
}

describe(`isolation (PERDURE_SEED=${seed})`, () => {
  for (const setting of settings) {
    describe(setting.name, () => {
      it('is strictly serializable', async () => {
        const history = await record(setting, 'serializable')
        const verdict = checkHistory(history)
        expect(verdict.anomalies).to.deep.equal([])
        expectContention(history, verdict)
      })

      it('lets write skew pass, and nothing else, with snapshot isolation', async () => {
        const history = await record(setting, 'snapshot')
        const verdict = checkHistory(history)
        expect(kindsOf(verdict)).to.deep.equal(['G2'])
        expectContention(history, verdict)
      })
    })
  }

  describe('finds a storage that', () => {
    /** Records short histories until one shows one of the signs; says what all of them have shown. */
    async function findSigns(plant: Plant, signs: readonly AnomalyKind[]): Promise<readonly AnomalyKind[]> {
      const shown = new Set<AnomalyKind>()
      for (let round = 0; round < MAX_ROUNDS && !signs.some((sign) => shown.has(sign)); round++) {
        const storage = plant(new MemoryStorage(), new Random(seed + round))
        const options = { seed: seed + round, transactions: 200, clients: 6, threads: 0 }
        const history = await recordHistory(storage, { ...options, isolation: 'serializable' })
        for (const kind of kindsOf(checkHistory(history))) shown.add(kind)
      }
      return [...shown]
    }

    for (const [name, plant, signs] of bugs) {
      it(name, async () => {
        expect(await findSigns(plant, signs)).to.satisfy((shown: AnomalyKind[]) => signs.some((s) => shown.includes(s)))
      })
    }
  })
})

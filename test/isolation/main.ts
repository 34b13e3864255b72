import { parseArgs } from 'node:util'
import { runSeed } from '../../src/testing/random.js'
import { checkHistory } from './checker.js'
import type { AnomalyKind } from './history.js'
import { settings } from './settings.js'
import { recordHistory } from './workload.js'

/*
 * Checks the isolation of every storage with as many transactions as wanted:
 *
 *   npm run isolation -- --seed 7 --transactions 100000
 *
 * Exits with 1 if anything is found that must not be.
 */

const { values } = parseArgs({ options: { seed: { type: 'string' }, transactions: { type: 'string' } } })
const seed = values.seed === undefined ? runSeed() : wholeNumber('--seed', values.seed)
const transactions = wholeNumber('--transactions', values.transactions ?? '20000')

/** Longer workloads are cut into several of this length, so that memory is bounded. */
const ROUND = 5000

/** What each isolation level lets pass. */
const allowed = { serializable: [], snapshot: ['G2'] } satisfies Record<string, readonly AnomalyKind[]>

console.log(`seed ${seed}, ${transactions} transactions for each storage and isolation level`)
for (const { name, create, ...setting } of settings) {
  for (const isolation of ['serializable', 'snapshot'] as const) {
    const permitted: readonly AnomalyKind[] = allowed[isolation]
    const counts = { transactions: 0, aborted: 0, dependencies: 0, anomalies: 0 }
    for (let done = 0; done < transactions; done += ROUND) {
      const options = { ...setting, seed: seed + done, transactions: Math.min(ROUND, transactions - done), isolation }
      const history = await recordHistory(await create(), options)
      const { anomalies, dependencies } = checkHistory(history)
      counts.transactions += history.length
      counts.aborted += history.filter(({ outcome }) => outcome === 'aborted').length
      counts.dependencies += Object.values(dependencies).reduce((sum, count) => sum + count, 0)
      counts.anomalies += anomalies.length
      for (const { kind, message } of anomalies) {
        if (permitted.includes(kind)) continue
        process.exitCode = 1
        console.error(`${name}, ${isolation}, seed ${options.seed}: ${message}`)
      }
    }
    console.log(`${name}, ${isolation}:`, counts)
  }
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  console.error(`${option} is a whole number, not ${text}.`)
  process.exit(2)
}

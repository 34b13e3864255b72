import { parseArgs } from 'node:util'
import { describeCounts, Explorer, type ExplorerCounts } from './explorer.js'

/* npm run simulate -- --states 1000000 --seed 7 */

const { values } = parseArgs({
  options: {
    states: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})

const seed = Number(values.seed)
const states = Number(values.states)
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(states) || states < 1) {
  console.error('Both --states and --seed take a whole number.')
  process.exit(2)
}

const started = performance.now()

function describe(counts: ExplorerCounts): string {
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  return `seed ${seed}, ${seconds} s: ${describeCounts(counts)}`
}

const explorer = new Explorer({ seed, states, onProgress: (counts) => console.log(describe(counts)) })
const finding = await explorer.run()
if (finding === undefined) {
  console.log('Nothing was lost, and nothing was wrong.')
} else {
  console.error(finding.message, finding)
  process.exitCode = 1
}

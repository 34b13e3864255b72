import { runSeed } from '../../../src/testing/random.js'
import { fuzzFiles, fuzzLines, fuzzRecords } from './campaign.js'

/*
 * Converts and imports what makes no sense: `npm run fuzz:conversion -- 12500` for so many inputs of each of four sorts.
 * PERDURE_SEED repeats a run.
 */

const inputs = Number(process.argv[2] ?? 12_500)
const seed = runSeed()
console.log(`${inputs} inputs of each sort, PERDURE_SEED=${seed}`)
for (const [what, run] of [
  ['files', () => fuzzFiles('file', inputs, seed)],
  ['SQLite files', () => fuzzFiles('sqlite', inputs, seed)],
  ['records', () => fuzzRecords(inputs, seed)],
  ['exports', () => fuzzLines(inputs, seed)],
] as const) {
  const { accepted, refused } = await run()
  console.log(`${what}: ${accepted} accepted, ${refused} refused`)
}

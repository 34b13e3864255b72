import { runSeed } from '../../../src/testing/random.js'
import { fuzzFiles, fuzzLines, fuzzRecords } from './campaign.js'

/* A longer campaign than that of the tests. Argument: how many inputs of each sort. */

const inputs = Number(process.argv[2] ?? 12_500)
const seed = runSeed()
console.log(`PERDURE_SEED=${seed}, ${inputs} inputs each`)
console.log('files', await fuzzFiles('file', inputs, seed))
console.log('sqlite', await fuzzFiles('sqlite', inputs, seed))
console.log('records', await fuzzRecords(inputs, seed))
console.log('lines', await fuzzLines(inputs, seed))

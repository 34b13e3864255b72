import { Random, runSeed } from '../../../src/testing/random.js'
import { fuzzProtocol1 } from './fuzz.js'

/*
 * Fuzzes protocol 1 by hand:
 *
 *   PERDURE_SEED=7 node --expose-gc dist/test/server/durus/fuzz-main.js 100000
 */

const seed = runSeed()
const inputs = Number(process.argv[2] ?? 100_000)
console.log(`${inputs} inputs with the seed ${seed}`)
const startedAt = performance.now()
const { sessions, ...figures } = await fuzzProtocol1(new Random(seed), inputs)
global.gc?.()
console.log(`${Math.round(performance.now() - startedAt)} ms`, figures)
console.log(`${sessions.length} sessions, ${sessions.filter((each) => each.deref() !== undefined).length} still held`)
console.log(`${Math.round(process.memoryUsage().heapUsed / 2 ** 20)} MiB of heap in use`)

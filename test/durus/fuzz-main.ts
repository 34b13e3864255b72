import { Random, runSeed } from '../../src/testing/random.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { fuzzFiles, fuzzSqlite } from './fuzz.js'

/*
 * Fuzzes the readers of Durus files by hand:
 *
 *   PERDURE_SEED=7 node --expose-gc dist/test/durus/fuzz-main.js 100000 10000
 */

const seed = runSeed()
const [files = 100_000, sqliteFiles = 10_000] = process.argv.slice(2).map(Number)
console.log(`${files} files of Durus's own formats and ${sqliteFiles} of SQLite with the seed ${seed}`)
const startedAt = performance.now()
console.log(fuzzFiles(new Random(seed), files), `${Math.round(performance.now() - startedAt)} ms`)
const directory = new TemporaryDirectory()
console.log(await fuzzSqlite(new Random(seed), sqliteFiles, directory.join('a.durus')))
directory.remove()
console.log(`${Math.round(performance.now() - startedAt)} ms, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`)

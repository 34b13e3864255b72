import { open } from '../../src/open.js'
import { type RaceOptions, runClient } from './race-client.js'
import { Counter } from './race-models.js'

/** What a reading process is to do; its only argument, in JSON. */
export interface ReaderOptions extends RaceOptions {
  readonly path: string
  /** How often it must have found another state than before. */
  readonly news: number
}

/*
 * A process that checks a database readonly while another process writes to it, until it has seen enough or its
 * input ends. Its output is the result, in JSON.
 */
const { path, news, ...options } = JSON.parse(process.argv[2] ?? '{}') as ReaderOptions
process.stdin.once('end', () => process.exit(1)).resume()
const database = await open<Record<string, Counter>>(path, { classes: [Counter], readonly: true })
const result = await runClient(database, options, (soFar) => soFar.news >= news)
await database.close()
process.stdout.write(JSON.stringify(result), () => process.exit())

import { open } from '../../src/open.js'
import { type RaceOptions, runClient } from './race-client.js'
import { Counter } from './race-models.js'

/*
 * A process that checks a database readonly while another process writes to it. Its argument is a RaceOptions with
 * the path, in JSON. It says `ready` after the first check, and its result once its input has ended.
 */
const { path, ...options } = JSON.parse(process.argv[2] ?? '{}') as RaceOptions & { readonly path: string }
let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
const database = await open<Record<string, Counter>>(path, { classes: [Counter], readonly: true })
await runClient(database, { ...options, transactions: 1 })
process.stdout.write('ready\n')
const result = await runClient(database, options, () => ended)
await database.close()
process.stdout.write(`${JSON.stringify(result)}\n`)

import { PerdureError } from '../../src/core/errors.js'
import { open } from '../../src/open.js'

/*
 * A process that counts up in a database, at the URL that its first argument names, until its input ends. It says on a
 * line of its own what became of each transaction: `stored` or `in doubt`.
 */
const url = process.argv[2] as string
const database = await open<{ count: number }>(url, { timeoutMs: 20_000 })
let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
while (!ended) {
  try {
    await database.transact((root) => {
      root.set('count', (root.get('count') ?? 0) + 1)
    })
    process.stdout.write('stored\n')
  } catch (error) {
    if (!(error instanceof PerdureError) || error.code !== 'PERDURE_IN_DOUBT') throw error
    process.stdout.write('in doubt\n')
  }
}
await database.close()
process.stdin.destroy()

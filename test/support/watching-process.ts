import { setImmediate as nextTurn } from 'node:timers/promises'
import { FileStorage } from '../../src/storages/file.js'
import { findFault } from './relinking.js'

/*
 * A process that opens the database named by its first argument readonly, and looks at it until its input ends. It
 * writes how many transactions it has seen as the newest, or what was wrong.
 */
const storage = await FileStorage.open(process.argv[2], { readonly: true })
let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
const held = storage.snapshot()
const seen = new Set<number>()
let fault: string | undefined
process.stdout.write('ready\n')
while (!ended && fault === undefined) {
  const snapshot = storage.snapshot()
  fault = findFault(snapshot) ?? findFault(held)
  seen.add(snapshot.tid)
  snapshot.release()
  await nextTurn()
}
held.release()
await storage.close()
process.stdin.destroy()
process.stdout.write(`${fault ?? seen.size}\n`)

import { SqliteStorage } from '../../src/storages/sqlite.js'
import { numberRecord, recordNumber } from './number-record.js'

/*
 * A process that commits to the SQLite database named by its first argument, and packs it each time it is told
 * anything, until its input ends. Each commit writes the next number to objects 0 to 9, of which all but the root are
 * garbage in the eyes of a pack. A line tells of each acknowledged number, and of each pack.
 */
const [path] = process.argv.slice(2)
const storage = await SqliteStorage.open(path)
const snapshot = storage.snapshot()
let number = recordNumber(snapshot.load(0))
snapshot.release()
let ended = false
const packs: Promise<unknown>[] = []
process.stdin.on('data', () => {
  packs.push(storage.pack().then(() => process.stdout.write('packed\n')))
})
process.stdin.on('end', () => {
  ended = true
})
while (!ended) {
  number++
  const writes = Array.from({ length: 10 }, (_, oid) => ({ oid, data: numberRecord(number) }))
  await storage.commit({ base: storage.statistics().tid, reads: [], writes })
  process.stdout.write(`${number}\n`)
}
await Promise.all(packs)
await storage.close()

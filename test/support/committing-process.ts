import { FileStorage } from '../../src/storages/file.js'
import { numberRecord, recordNumber } from './number-record.js'

/*
 * A process that commits to the database named by its first argument, until its input ends or it is killed, or until
 * a commit fails. Each commit writes the next number to objects 0 to 9. A line tells of each acknowledged number.
 */
const [path, durability] = process.argv.slice(2)
const storage = await FileStorage.open(path, { durability: durability === 'os' ? 'os' : 'fsync' })
const snapshot = storage.snapshot()
let number = recordNumber(snapshot.load(0))
snapshot.release()
let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
const filler = Number(process.argv[4] ?? 0)
try {
  while (!ended) {
    number++
    const writes = Array.from({ length: 10 }, (_, oid) => ({ oid, data: numberRecord(number) }))
    if (filler > 0)
      writes.push({ oid: 10 + number, data: Buffer.concat([numberRecord(1), Buffer.alloc(filler, 0x30)]) })
    const { tid } = storage.statistics()
    await storage.commit({ base: tid, reads: [], writes })
    process.stdout.write(`${number}\n`)
  }
} catch (error) {
  const { code, cause } = error as { code: string; cause?: { code?: string } }
  process.stdout.write(`${code} ${cause?.code}\n`)
}
process.stdin.destroy()
await storage.close()

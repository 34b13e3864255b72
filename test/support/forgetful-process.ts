import { FileStorage } from '../../src/storages/file.js'
import { numberRecord } from './number-record.js'

/* Commits once to the database named by its argument, or to a temporary one, and ends without closing it. */
const storage = await FileStorage.open(process.argv[2])
process.stdout.write(`${storage.location}\n`)
await storage.commit({ base: storage.statistics().tid, reads: [], writes: [{ oid: 0, data: numberRecord(7) }] })
void storage.commit({ base: storage.statistics().tid, reads: [], writes: [{ oid: 0, data: numberRecord(8) }] })

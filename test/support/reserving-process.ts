import { reserveIndexMemory } from '../../src/journal/oid-index.js'
import { FileStorage } from '../../src/storages/file.js'
import { numberRecord, recordNumber } from './number-record.js'

/*
 * A process to be started with little address space: prints how large the segments of an index can be, the tid of a
 * commit, and the number it has stored and loaded.
 */

const { segmentBits } = reserveIndexMemory(0)
const storage = await FileStorage.open(process.argv[2])
const { tid } = await storage.commit({ base: 0, reads: [], writes: [{ oid: 5000, data: numberRecord(7) }] })
const snapshot = storage.snapshot()
console.log(`${segmentBits} ${tid} ${recordNumber(snapshot.load(5000))}`)
snapshot.release()
await storage.close()

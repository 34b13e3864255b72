import { workerData } from 'node:worker_threads'
import { SqliteStorage } from '../../src/storages/sqlite.js'
import { numberRecord, recordNumber } from './number-record.js'

/*
 * A thread that counts in object 0 of the storage whose handle it is given, as often as it is told.
 */
const { handle, count } = workerData
const storage = await SqliteStorage.attach(handle)
for (let round = 0; round < count; ) {
  const snapshot = storage.snapshot()
  const number = recordNumber(snapshot.load(0))
  snapshot.release()
  const writes = [{ oid: 0, data: numberRecord(number + 1) }]
  const { tid } = await storage.commit({ base: snapshot.tid, reads: [], writes })
  if (tid !== undefined) round++
}
await storage.close()

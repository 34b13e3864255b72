import { parentPort, workerData } from 'node:worker_threads'
import type { Oid } from '../../src/core/oid.js'
import { type FileHandle, FileStorage } from '../../src/storages/file.js'
import { numberRecord, recordNumber } from './number-record.js'

/** What a committing worker is to do. */
export interface CommittingTask {
  readonly handle: FileHandle
  /** Each is a counter that is raised `rounds` times, whoever else does the same. */
  readonly counters: readonly Oid[]
  readonly rounds: number
}

/** An application's thread that works on a storage which another thread has opened. */
const { handle, counters, rounds } = workerData as CommittingTask
const storage = FileStorage.attach(handle)
let conflicts = 0
for (const oid of counters) {
  for (let done = 0; done < rounds; ) {
    const snapshot = storage.snapshot()
    const next = recordNumber(snapshot.load(oid)) + 1
    const result = await storage.commit({
      base: snapshot.tid,
      reads: [],
      writes: [
        { oid, data: numberRecord(next) },
        { oid: storage.allocateOids(1), data: numberRecord(next) },
      ],
    })
    snapshot.release()
    if (result.conflicts === undefined) done++
    else conflicts++
  }
}
await storage.close()
parentPort?.postMessage(conflicts)

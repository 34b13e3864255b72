import { parentPort, workerData } from 'node:worker_threads'
import { FileStorage } from '../../src/storages/file.js'
import type { FileHandle } from '../../src/storages/file-backend.js'
import { recordNumber } from './number-record.js'

/** What a worker is to read. */
export interface ReadingTask {
  readonly handle: FileHandle
  /** The numbers of the objects from 1 to this oid are added up, whenever a message comes. */
  readonly last: number
}

/*
 * A thread that shares a storage, and reads all of it when it is told to.
 */
const { handle, last } = workerData as ReadingTask
const storage = FileStorage.attach(handle)
parentPort?.on('message', () => {
  const snapshot = storage.snapshot()
  let sum = 0
  for (let oid = 1; oid <= last; oid++) sum += recordNumber(snapshot.load(oid))
  snapshot.release()
  parentPort?.postMessage(sum)
})

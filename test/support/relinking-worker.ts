import { parentPort, workerData } from 'node:worker_threads'
import type { Oid } from '../../src/core/oid.js'
import { type FileHandle, FileStorage } from '../../src/storages/file.js'
import { relink } from './relinking.js'

/** What a relinking worker is to do. */
export interface RelinkingTask {
  readonly handle: FileHandle
  readonly owner: Oid
  readonly seed: number
  /** An Int32 that is set to 1 when it is enough. */
  readonly enough: SharedArrayBuffer
}

const { handle, owner, seed, enough } = workerData as RelinkingTask
const flag = new Int32Array(enough)
const storage = FileStorage.attach(handle)
const done = await relink(storage, owner, seed, () => Atomics.load(flag, 0) === 1)
await storage.close()
parentPort?.postMessage(done)

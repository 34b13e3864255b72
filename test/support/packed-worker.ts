import { parentPort, workerData } from 'node:worker_threads'
import type { Oid } from '../../src/core/oid.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { Snapshot } from '../../src/core/storage.js'
import { type FileHandle, FileStorage } from '../../src/storages/file.js'

/** Shared by all threads of a test: the newest transaction that has been answered, and whether to stop. */
export const NEWEST = 0
export const STOP = 1

/** What a thread is to do while others commit and pack. */
export interface PackedTask {
  readonly handle: FileHandle
  /** The thread's own object. It is in use from the beginning. */
  readonly counter: Oid
  readonly signals: SharedArrayBuffer
  /** How often each oid was allocated. */
  readonly allocated: SharedArrayBuffer
}

/** Notes that somebody has been told of a transaction: who asks from now on must see it. */
export function raise(signals: Int32Array, tid: number): void {
  for (let seen = Atomics.load(signals, NEWEST); seen < tid; ) {
    const found = Atomics.compareExchange(signals, NEWEST, seen, tid)
    if (found === seen) return
    seen = found
  }
}

/** A snapshot that sees every commit that anybody has been told of before. */
export function snapshotNow(storage: FileStorage, signals: Int32Array): Snapshot {
  const least = Atomics.load(signals, NEWEST)
  const snapshot = storage.snapshot()
  if (snapshot.tid < least) throw new Error(`Transaction ${least} was answered, and the snapshot is ${snapshot.tid}.`)
  return snapshot
}

/** A counter, and the object it refers to, which is made anew each time it is raised. */
export function counterRecord(number: number, attached: Oid): Uint8Array {
  return encodeRecord('Counter', [new Reference(attached, 'Attached')], Buffer.from(String(number)))
}

export function readCounter(snapshot: Snapshot, oid: Oid): number {
  const record = snapshot.load(oid)
  if (record === undefined) throw new Error(`Counter ${oid} is gone.`)
  const { state, references } = decodeRecord(record.data)
  for (const reference of references) {
    if (snapshot.load(reference.oid) === undefined) throw new Error(`Object ${reference.oid}, in use, is gone.`)
  }
  return Number(Buffer.from(state).toString())
}

/** Snapshots are held, and looked at again, after so many commits. */
const HELD_FOR = 25

async function run({ handle, counter, signals, allocated }: PackedTask): Promise<number> {
  const slots = new Int32Array(signals)
  const counts = new Int32Array(allocated)
  const storage = FileStorage.attach(handle)
  let held: { readonly snapshot: Snapshot; readonly number: number } | undefined
  let done = 0
  while (Atomics.load(slots, STOP) === 0) {
    const snapshot = snapshotNow(storage, slots)
    const number = readCounter(snapshot, counter)
    if (number !== done) throw new Error(`Counter ${counter} is ${number} after ${done} commits.`)
    const attached = storage.allocateOids(1)
    if (Atomics.add(counts, attached, 1) > 0) throw new Error(`Oid ${attached} was given out twice.`)
    const writes = [
      { oid: counter, data: counterRecord(number + 1, attached) },
      { oid: attached, data: encodeRecord('Attached', [], Buffer.alloc(500)) },
    ]
    const { tid } = await storage.commit({ base: snapshot.tid, reads: [], writes })
    if (tid === undefined) throw new Error('Nobody else writes this counter, and yet there is a conflict.')
    raise(slots, tid)
    done++
    if (done % HELD_FOR !== 0) {
      snapshot.release()
      continue
    }
    if (held !== undefined && readCounter(held.snapshot, counter) !== held.number)
      throw new Error('A snapshot changed.')
    held?.snapshot.release()
    held = { snapshot, number }
  }
  held?.snapshot.release()
  await storage.close()
  return done
}

if (parentPort !== null && workerData?.counter !== undefined) {
  const done = await run(workerData as PackedTask)
  parentPort.postMessage(done)
}

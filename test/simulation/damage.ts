import type { Oid, Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { FILE_HEADER_BYTES } from '../../src/journal/format.js'
import type { CoordinatorSettings } from '../../src/workers/messages.js'
import { makeReferenceBase } from '../support/reference-packer.js'
import { realEngine } from './engine.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { Oracle } from './oracle.js'
import { type DiskImage, SimulatedDisk } from './simulated-disk.js'
import { SparseBytes } from './sparse-bytes.js'
import { PATH } from './workload.js'

const SETTINGS: CoordinatorSettings = {
  path: PATH,
  durability: 'fsync',
  loadIndex: false,
  checkpointBytes: 2 ** 30,
  preallocationBytes: 100,
}

/** Objects and transactions of the small database. */
const OBJECTS = 3
const TRANSACTIONS = 4
const PACKED_AT = 3

/** A database with everything in it that the format knows, in as few bytes as possible. */
export interface SmallDatabase {
  readonly oracle: Oracle
  /** Closed in good order, with a checkpoint. */
  readonly closed: DiskImage
  /** As a killed process leaves it: with a watermark and preallocated zeros, without a checkpoint. */
  readonly killed: DiskImage
  /** Where each transaction ends, from tid 0 on; of a packed database, those that there are. */
  readonly ends: readonly number[]
}

/** As {@link makeSmallDatabase}, packed in the middle, with a base of two transactions. Nothing in it is garbage. */
export function makePackedDatabase(): SmallDatabase {
  return makeSmallDatabase(PACKED_AT)
}

/** @param packedAt before this transaction there is a pack */
export function makeSmallDatabase(packedAt?: Tid): SmallDatabase {
  const disk = new SimulatedDisk()
  const storage = new MainThreadStorage(disk, SETTINGS)
  const oracle = new Oracle()
  const ends = [storage.view.state.get('end')]
  for (let tid = 0; tid < TRANSACTIONS; tid++) {
    if (tid === packedAt) {
      oracle.submitPack(storage.tid)
      storage.switchTo({ ...makeReferenceBase(disk, PATH, storage.tid, 2), keepOld: false, maxTailBytes: 0 })
      ends.splice(0, ends.length, FILE_HEADER_BYTES, storage.view.state.get('end'))
    }
    const oids = tid === 0 ? [0, 1, 2] : [tid % OBJECTS]
    const references = [new Reference(1, 'A'), new Reference(2, 'A')]
    const data = (oid: Oid) => encodeRecord('A', oid === 0 ? references : [], Buffer.from(`${oid}@${tid}`))
    const writes = oids.map((oid) => ({ oid, data: data(oid) }))
    const request = { base: storage.tid, reads: [], writes, note: tid === 1 ? 'note' : '' }
    oracle.submit([request])
    storage.commit([request])
    ends.push(storage.view.state.get('end'))
  }
  oracle.acknowledge(storage.tid)
  const killed = disk.afterKill()
  storage.close()
  return { oracle, closed: disk.afterKill(), killed, ends }
}

/** The image with one file of it replaced, or without it. */
export function replaceFile(image: DiskImage, path: string, bytes: Uint8Array | undefined): DiskImage {
  const copy = new Map(image)
  if (bytes === undefined) copy.delete(path)
  else copy.set(path, new SparseBytes(bytes))
  return copy
}

export function flipBit(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  const at = bit >> 3
  copy[at] = (copy[at] as number) ^ (1 << (bit & 7))
  return copy
}

/** What opening a damaged database and reading all of it came to: an error, or a state that once was. */
export type Verdict = { readonly error: string } | { readonly tid: number }

/**
 * Opens a damaged database and reads every object.
 *
 * @throws Error if it shows wrong data, or fails in a way that does not name what is damaged
 */
export function judge(image: DiskImage, oracle: Oracle, readonly: boolean): Verdict {
  try {
    const tid = readonly ? readAllReadonly(image, oracle) : readAll(image, oracle)
    return { tid }
  } catch (error) {
    return { error: namedError(error) }
  }
}

/**
 * Opens a damaged database and packs it. Garbage may be damaged; what is kept may not, so that every object can be
 * read afterwards.
 *
 * @throws Error if a damaged object was packed, or the pack fails in a way that does not name what is damaged
 */
export async function judgePack(image: DiskImage, oracle: Oracle, engine = realEngine): Promise<Verdict> {
  const disk = new SimulatedDisk(image, engine.fileError)
  let storage: MainThreadStorage
  try {
    storage = new MainThreadStorage(disk, SETTINGS, engine)
  } catch (error) {
    return { error: namedError(error) }
  }
  const { tid } = storage
  const end = await storage.pack({ tuning: { rangeBytes: 500, transactionBytes: 200 } }).finish()
  if ('error' in end) {
    if (disk.exists(`${PATH}.pack`)) throw new WrongData('A pack that failed has left its file.')
    return { error: namedError(end.error) }
  }
  for (let oid = 0; oid < OBJECTS + 2; oid++) compare(oid, storage.load(oid), oracle, tid)
  return { tid }
}

/** Wrong data. It is no PerdureError, so that nothing takes it for one. */
class WrongData extends Error {}

function readAll(image: DiskImage, oracle: Oracle): number {
  const storage = new MainThreadStorage(new SimulatedDisk(image), SETTINGS)
  const { tid } = storage
  for (let oid = 0; oid < OBJECTS + 2; oid++) compare(oid, storage.load(oid, tid), oracle, tid)
  return tid
}

function readAllReadonly(image: DiskImage, oracle: Oracle): number {
  const disk = new SimulatedDisk(image)
  const follower = new realEngine.JournalFollower(disk, PATH, false, 64 * 1024)
  const { index, reader, state } = follower.view
  const tid = state.get('tid')
  for (let oid = 0; oid < OBJECTS + 2; oid++) {
    const offset = index.get(oid)
    compare(oid, offset === 0 ? undefined : reader.load(oid, offset, tid), oracle, tid)
  }
  if (disk.operations.length > 0) throw new WrongData('A readonly opening wrote.')
  return tid
}

function compare(oid: number, found: { tid: number; data: Uint8Array } | undefined, oracle: Oracle, tid: number) {
  const expected = oracle.find(oid, tid)
  const same =
    expected === undefined
      ? found === undefined
      : found?.tid === expected.tid && Buffer.compare(found.data, expected.data) === 0
  if (!same) throw new WrongData(`Object ${oid} at ${tid} is not what was stored.`)
}

function namedError(error: unknown): string {
  const { code, details } = error as { code?: string; details?: { path?: unknown; offset?: unknown } }
  const hasPlace = typeof details?.path === 'string' && details.path.startsWith(PATH)
  const hasOffset = typeof details?.offset === 'number'
  if (code === 'PERDURE_CORRUPTION' && hasPlace && hasOffset) return code
  if ((code === 'PERDURE_NOT_A_DATABASE' || code === 'PERDURE_FORMAT_VERSION') && hasPlace) return code
  throw error
}

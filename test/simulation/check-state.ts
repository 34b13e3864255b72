import type { Oid } from '../../src/core/oid.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { CommitRequest } from '../../src/core/storage.js'
import { checksumSeed, FILE_HEADER_BYTES } from '../../src/journal/format.js'
import { readFileHeader } from '../../src/journal/journal.js'
import type { FileSystem } from '../../src/journal/journal-file.js'
import type { RecoveryReport } from '../../src/journal/recovery.js'
import { JournalScanner } from '../../src/journal/scanner.js'
import type { CoordinatorSettings } from '../../src/workers/messages.js'
import type { Engine } from './engine.js'
import { MainThreadStorage } from './main-thread-storage.js'
import type { Oracle } from './oracle.js'
import type { Random } from './random.js'
import { type DiskImage, SimulatedDisk } from './simulated-disk.js'

/** What is demanded of every state the disk may be found in. */
export interface Situation {
  readonly engine: Engine
  readonly settings: CoordinatorSettings
  readonly oracle: Oracle
  /** The database has been created and must not be gone. */
  readonly created: boolean
  /** Transactions up to this tid have been acknowledged, or seen by somebody, and must be there. */
  readonly floor: number
}

/** Called after each operation on the disk of a state that is being recovered and used. */
export type Watch = (disk: SimulatedDisk, situation: Situation) => void

/** Something a database must never do. */
export class Violation extends Error {}

export function demand(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Violation(message())
}

/** What a state turned out to be. */
export interface Outcome {
  readonly recovery: RecoveryReport
  /** Transactions that survived though nobody had been told of them. */
  readonly unacknowledged: number
}

/**
 * Opens a database as a crash has left it, and uses it.
 *
 * @throws Violation if it does not hold what it should
 */
export function checkState(image: DiskImage, situation: Situation, random: Random, watch?: Watch): Outcome {
  const { oracle, floor, engine } = situation
  const { path } = situation.settings
  demand(image.has(path) || !situation.created, () => 'The database is gone.')
  if (image.has(path) && random.chance(0.2)) checkReadonly(image, situation)

  const settings: CoordinatorSettings = { ...situation.settings, durability: 'fsync' }
  const disk = new SimulatedDisk(image, engine.fileError)
  let now = situation
  let storage: MainThreadStorage | undefined
  disk.onOperation = () => {
    const seen = storage?.tid ?? 0
    watch?.(disk, { ...now, created: now.created || seen > 0, floor: Math.max(now.floor, seen) })
  }
  storage = new MainThreadStorage(disk, settings, engine)
  demand(storage.tid >= floor, () => `Transaction ${floor} was there, and after it only ${storage?.tid} are.`)
  demand(storage.tid <= oracle.newest, () => `There are ${storage?.tid} transactions; only ${oracle.newest} were made.`)
  const outcome = { recovery: storage.recovery, unacknowledged: Math.max(0, storage.tid - oracle.acknowledged) }
  const survivors = oracle.fork(storage.tid)
  survivors.acknowledged = storage.tid
  now = { ...situation, oracle: survivors, created: true, floor: storage.tid }
  checkContents(storage, survivors, random)
  checkIndex(storage, disk, path, survivors)

  commitOnce(storage, survivors, random, oracle)
  checkReopening(disk, { ...now, floor: survivors.newest, settings }, random)
  if (random.chance(0.1)) {
    storage.close()
    const closed = new MainThreadStorage(disk, settings, engine)
    demand(
      closed.recovery.checkpoint === 'used',
      () => `After closing, the checkpoint is ${closed.recovery.checkpoint}.`,
    )
    demand(closed.recovery.transactionsReplayed === 0, () => 'After closing, transactions had to be replayed.')
    checkContents(closed, survivors, random)
  }
  return outcome
}

/** What was committed after the crash must survive the next one, with its checkpoint or without. */
function checkReopening(disk: SimulatedDisk, { settings, oracle, engine, floor }: Situation, random: Random): void {
  const image = new Map(disk.afterWorstPowerCut())
  if (random.chance(0.3)) image.delete(`${settings.path}.index`)
  if (random.chance(0.3)) image.delete(`${settings.path}.live`)
  const reopened = new MainThreadStorage(new SimulatedDisk(image, engine.fileError), settings, engine)
  demand(reopened.tid === floor, () => `After a second crash there are ${reopened.tid} transactions, not ${floor}.`)
  checkContents(reopened, oracle, random)
}

/** Every object at the newest transaction, and at an older one. */
export function checkContents(storage: MainThreadStorage, oracle: Oracle, random: Random): void {
  const oids = oracle.oids()
  for (const tid of [storage.tid, random.between(oracle.historyFrom, storage.tid)]) {
    for (const oid of oids) {
      const expected = oracle.find(oid, tid)
      const found = storage.load(oid, tid)
      demand(found?.tid === expected?.tid, () => `At ${tid}, object ${oid} is of ${found?.tid}, not ${expected?.tid}.`)
      if (found === undefined || expected === undefined) continue
      demand(Buffer.compare(found.data, expected.data) === 0, () => `At ${tid}, object ${oid} has wrong bytes.`)
    }
  }
}

/** The index, wherever it came from, must be what a reading of the whole journal gives. */
function checkIndex(storage: MainThreadStorage, disk: FileSystem, path: string, oracle: Oracle): void {
  const { offsets, newest, historyFrom, end } = readJournal(disk, path)
  demand(newest === storage.tid, () => `The journal has ${newest} transactions, not ${storage.tid}.`)
  demand(historyFrom === oracle.historyFrom, () => `History goes back to ${historyFrom}, not ${oracle.historyFrom}.`)
  const { state, index } = storage.view
  demand(end === state.get('end'), () => `The journal ends at ${end}, not at ${state.get('end')}.`)
  demand(offsets.size === state.get('objects'), () => `There are ${offsets.size} objects, not ${state.get('objects')}.`)
  const nextOid = Math.max(1, ...[...offsets.keys()].map((oid) => oid + 1))
  demand(state.get('nextOid') >= nextOid, () => `Oid ${state.get('nextOid')} is used and would be given out again.`)
  for (const oid of new Set([...oracle.oids(), ...offsets.keys(), nextOid])) {
    const expected = offsets.get(oid) ?? 0
    demand(index.get(oid) === expected, () => `The index has ${index.get(oid)} for object ${oid}, not ${expected}.`)
  }
}

function readJournal(fileSystem: FileSystem, path: string) {
  const file = fileSystem.open(path, 'read')
  const { uuid, baseTid, historyFrom } = readFileHeader(file)
  const seed = checksumSeed(uuid)
  const scanner = new JournalScanner(file, seed, FILE_HEADER_BYTES, file.size())
  const offsets = new Map<Oid, number>()
  let transactions = 0
  for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
    const { position, image } = found
    image.forEachRecord((oid, offset) => offsets.set(oid, position + offset))
    transactions++
  }
  file.close()
  return { offsets, newest: baseTid + transactions, historyFrom, end: scanner.position }
}

function commitOnce(storage: MainThreadStorage, oracle: Oracle, random: Random, before: Oracle): void {
  const lost = before.request(storage.tid + 1)
  const request = lost !== undefined && random.chance(0.5) ? repeat(lost, random) : newRequest(storage, oracle, random)
  const [expected] = oracle.submit([request])
  const [outcome] = storage.commit([request])
  demand(outcome?.tid !== undefined, () => `A commit after the crash failed: ${JSON.stringify(outcome)}`)
  demand(
    expected !== undefined && 'tid' in expected && outcome.tid === expected.tid,
    () => `It got tid ${outcome.tid}.`,
  )
  oracle.acknowledge(outcome.tid)
}

function newRequest(storage: MainThreadStorage, oracle: Oracle, random: Random): CommitRequest {
  const fresh = storage.view.state.add('nextOid', 1)
  const known = oracle.living()
  const oids = known.length === 0 ? [fresh] : [random.pick(known), fresh]
  const targets = [new Reference(fresh, 'After'), ...known.slice(0, 3).map((oid) => new Reference(oid, 'Item'))]
  const writes = oids.map((oid) => ({ oid, data: encodeRecord('After', targets, random.bytes(random.below(200))) }))
  return { base: storage.tid, reads: [], writes }
}

/**
 * As a program would that does not know what became of a commit. The new transaction takes exactly the place of the
 * lost one, so that anything left behind it would come to life again.
 */
function repeat({ base, reads, writes, note = '' }: CommitRequest, random: Random): CommitRequest {
  return { base, reads, writes: writes.map(({ oid, data }) => ({ oid, data: otherState(data, random) })), note }
}

function otherState(data: Uint8Array, random: Random): Uint8Array {
  const { className, references, state } = decodeRecord(data)
  return encodeRecord(className, references, random.bytes(state.length))
}

/**
 * A readonly opening changes nothing. It shows a state that was; what the file itself does not yet prove to be on
 * the disk, which is the last batch at most, it may leave out while the watermark of the dead writer is there.
 */
function checkReadonly(image: DiskImage, { engine, settings, oracle, floor }: Situation): void {
  const disk = new SimulatedDisk(image, engine.fileError)
  const follower = new engine.JournalFollower(disk, settings.path, false, 64 * 1024)
  const { state, index, reader } = follower.view
  const tid = state.get('tid')
  demand(disk.operations.length === 0, () => `A readonly opening wrote: ${JSON.stringify(disk.operations[0])}`)
  demand(tid <= oracle.newest, () => `A readonly opening shows transaction ${tid}, which was never made.`)
  const mayBeOld = image.has(`${settings.path}.live`)
  const least = !mayBeOld ? floor : settings.durability === 'fsync' ? oracle.beforeBatchOf(floor) : 0
  demand(tid >= least, () => `A readonly opening shows ${tid}, not ${least}.`)
  const seen = oracle.fork(tid)
  for (const oid of seen.oids()) {
    const expected = seen.find(oid, tid)
    const offset = index.get(oid)
    const found = offset === 0 ? undefined : reader.load(oid, offset, tid)
    demand(found?.tid === expected?.tid, () => `Readonly, object ${oid} is of ${found?.tid}, not ${expected?.tid}.`)
    if (found === undefined || expected === undefined) continue
    demand(Buffer.compare(found.data, expected.data) === 0, () => `Readonly, object ${oid} has wrong bytes.`)
  }
  follower.close()
}

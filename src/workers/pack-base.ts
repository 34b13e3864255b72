import type { Tid } from '../core/oid.js'
import type { PackProgress } from '../core/storage.js'
import { baseEnd } from '../journal/base-layout.js'
import { discard } from '../journal/discard.js'
import { checksumSeed, encodeFileHeader, FILE_HEADER_BYTES, type FileHeader } from '../journal/format.js'
import type { FileSystem } from '../journal/journal-file.js'
import { NO_PAGES, OidIndex, PAGE_ENTRIES, reserveIndexMemory } from '../journal/oid-index.js'
import type { PackMoment } from '../journal/pack-moment.js'
import type { ScannedRecords } from '../journal/pack-scan.js'
import { BYTES_PER_OBJECT, type PackTables, reservePackTables } from '../journal/pack-tables.js'
import { type PackedBase, packPath } from '../journal/packed-base.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { eachRange, type TaskRunner } from './each-range.js'
import type { PackCopyTask, PackIndexTask, PackMarkTask, PackPlan, PackScanTask } from './pack-tasks.js'

/** Bytes of the journal in one task, and pages of the index: some tens of milliseconds' work. */
const RANGE_BYTES = 16 * 1024 * 1024
const RANGE_PAGES = 256

/** More memory for references is never needed: in the journal each takes two bytes, and four here. */
const TABLE_BYTES_PER_BYTE = 2
/** What is reserved in any case, since threads reserve more than they need. */
const LEAST_TABLE_BYTES = 16 * 1024 * 1024

/** How often it is looked how far marking has come. */
const LOOK_MS = 100

/** More objects than this are not told one by one when they are removed. */
const MOST_REMOVED = 32_768

/** What is to be packed, and as of when. */
export interface PackSubject {
  readonly shared: SharedJournal
  /** The transaction from which on history is kept. */
  readonly from: PackMoment
  /** The newest transaction when the pack begins. */
  readonly newest: PackMoment
  /** Memory for the pack's tables, in bytes; see {@link BYTES_PER_OBJECT} for what it takes at least. */
  readonly memoryBytes: number
  /** Given by tests: size of tasks and of base transactions. */
  readonly rangeBytes?: number
  readonly transactionBytes?: number
}

/** Told what has been done; `remainingMs` is added by whoever knows the whole pack. */
export type BaseProgress = (progress: Omit<PackProgress, 'remainingMs'>) => void

/** The base of a packed journal, and what did not get into it. */
export interface MadeBase {
  readonly base: PackedBase
  readonly removed: PackPlan['removed']
  /** Objects that there were as of the transaction from which on history is kept. */
  readonly objectsBefore: number
}

/**
 * Makes the base of a packed journal: finds what is to be kept of the old one, and copies it to a new file, which is
 * removed again if anything fails. The old journal is only read.
 *
 * @throws CorruptionError if a record that is to be kept is damaged; PerdureError `PERDURE_NO_SPACE`, `PERDURE_IO`,
 *   `PERDURE_LIMIT`, `PERDURE_THREAD`; the reason of the signal
 */
export async function makeBase(
  fileSystem: FileSystem,
  pool: TaskRunner,
  subject: PackSubject,
  signal: AbortSignal,
  onProgress: BaseProgress,
): Promise<MadeBase> {
  const maker = new BaseMaker(fileSystem, pool, subject, signal, onProgress)
  try {
    return await maker.run()
  } catch (error) {
    discard(fileSystem, packPath(subject.shared.path))
    throw error
  }
}

class BaseMaker {
  readonly #fileSystem: FileSystem
  readonly #pool: TaskRunner
  readonly #subject: PackSubject
  readonly #signal: AbortSignal
  readonly #onProgress: BaseProgress
  readonly #tables: PackTables

  constructor(
    fileSystem: FileSystem,
    pool: TaskRunner,
    subject: PackSubject,
    signal: AbortSignal,
    onProgress: BaseProgress,
  ) {
    this.#fileSystem = fileSystem
    this.#pool = pool
    this.#subject = subject
    this.#signal = signal
    this.#onProgress = onProgress
    const { nextOid, end } = subject.newest
    const allowed = Math.max(0, subject.memoryBytes - nextOid * BYTES_PER_OBJECT)
    this.#tables = reservePackTables(nextOid, Math.min(allowed, end * TABLE_BYTES_PER_BYTE + LEAST_TABLE_BYTES))
  }

  async run(): Promise<MadeBase> {
    await this.#scanLater()
    await this.#takePositions()
    const scanned = await this.#scanRecords()
    const plan = await this.#mark(scanned)
    const base = await this.#copy(plan)
    return { base, removed: plan.removed, objectsBefore: scanned.objects }
  }

  get #scanTask() {
    const { shared, from } = this.#subject
    return { shared, memory: this.#tables.memory, boundary: from.end }
  }

  async #scanLater(): Promise<void> {
    const { from, newest, rangeBytes: size = RANGE_BYTES } = this.#subject
    const total = newest.end - FILE_HEADER_BYTES
    let bytes = 0
    await eachRange(this.#pool, { begin: from.end, end: newest.end, size }, this.#signal, async (begin, to) => {
      const task = { ...this.#scanTask, from: begin, to, end: newest.end }
      await this.#pool.run<PackScanTask, void>('packLater', task)
      bytes += to - begin
      this.#onProgress({ phase: 'scan', objects: 0, objectsTotal: this.#tables.oids, bytes, bytesTotal: total })
    })
  }

  async #takePositions(): Promise<void> {
    const pages = Math.ceil(this.#tables.oids / PAGE_ENTRIES)
    await eachRange(this.#pool, { begin: 0, end: pages, size: RANGE_PAGES }, this.#signal, async (from, to) => {
      await this.#pool.run<PackIndexTask, void>('packIndex', { ...this.#scanTask, from, to })
    })
  }

  async #scanRecords(): Promise<ScannedRecords> {
    const { from, newest, rangeBytes: size = RANGE_BYTES } = this.#subject
    const total = newest.end - FILE_HEADER_BYTES
    const sum = { objects: 0, bytes: 0 }
    let done = newest.end - from.end
    const ranges = { begin: FILE_HEADER_BYTES, end: from.end, size }
    await eachRange(this.#pool, ranges, this.#signal, async (begin, to) => {
      const task = { ...this.#scanTask, from: begin, to, end: from.end }
      const { objects, bytes } = await this.#pool.run<PackScanTask, ScannedRecords>('packRecords', task)
      sum.objects += objects
      sum.bytes += bytes
      done += to - begin
      const objectsTotal = Math.max(sum.objects, this.#tables.oids)
      this.#onProgress({ phase: 'scan', objects: sum.objects, objectsTotal, bytes: done, bytesTotal: total })
    })
    return sum
  }

  async #mark({ objects: objectsTotal, bytes: bytesTotal }: ScannedRecords): Promise<PackPlan> {
    const { shared, from, transactionBytes } = this.#subject
    const cancel = () => this.#tables.cancel()
    const report = (objects: number, bytes: number) =>
      this.#onProgress({ phase: 'mark', objects, objectsTotal, bytes, bytesTotal })
    let failure: { readonly error: unknown } | undefined
    const look = setInterval(() => {
      try {
        report(this.#tables.found, 0)
      } catch (error) {
        // Thrown by the user's function; from here it would end the process.
        failure ??= { error }
        cancel()
      }
    }, LOOK_MS)
    look.unref()
    this.#signal.addEventListener('abort', cancel)
    try {
      const plan = await this.#pool.run<PackMarkTask, PackPlan | undefined>('packMark', {
        shared,
        memory: this.#tables.memory,
        newest: from.tid,
        transactionBytes,
        mostRemoved: MOST_REMOVED,
      })
      this.#signal.throwIfAborted()
      if (failure !== undefined || plan === undefined) throw failure?.error
      report(plan.objects, plan.bytes)
      return plan
    } finally {
      clearInterval(look)
      this.#signal.removeEventListener('abort', cancel)
    }
  }

  async #copy(plan: PackPlan): Promise<PackedBase> {
    const { shared, from } = this.#subject
    const { transactions, objects: objectsTotal } = plan
    const path = packPath(shared.path)
    const header = newHeader(shared.header, from.tid, transactions.length)
    this.#createFile(path, shared.path, header)
    const index = new OidIndex(reserveIndexMemory(0), NO_PAGES)
    index.grow(this.#tables.oids)
    const stamp = { seed: checksumSeed(header.uuid), time: from.time, nextOid: from.nextOid }
    const end = baseEnd(transactions)
    let objects = 0
    let bytes = 0
    let checksum = 0
    await eachRange(this.#pool, { begin: 0, end: transactions.length, size: 1 }, this.#signal, async (i) => {
      const transaction = transactions[i] as (typeof transactions)[number]
      const task = { shared, memory: this.#tables.memory, path, index: index.memory, transaction, stamp }
      const sum = await this.#pool.run<PackCopyTask, number>('packCopy', task)
      if (i === transactions.length - 1) checksum = sum
      objects += transaction.count
      bytes += transaction.length
      this.#onProgress({ phase: 'copy', objects, objectsTotal, bytes, bytesTotal: end - FILE_HEADER_BYTES })
    })
    const { tid, time, nextOid } = from
    const state = { end, tid, time, nextOid, objects, checksum }
    return { path, header, index: index.memory, state, sourceEnd: from.end }
  }

  #createFile(path: string, like: string, header: FileHeader): void {
    this.#fileSystem.unlink(path)
    const file = this.#fileSystem.open(path, 'create', like)
    try {
      file.write([encodeFileHeader(header)], 0)
      file.sync()
    } finally {
      file.close()
    }
  }
}

function newHeader({ serializer, databaseId }: FileHeader, historyFrom: Tid, transactions: number): FileHeader {
  const uuid = crypto.getRandomValues(new Uint8Array(16))
  return { uuid, created: Date.now(), serializer, databaseId, baseTid: historyFrom - transactions, historyFrom }
}

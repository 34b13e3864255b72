import type { Oid, Tid } from '../core/oid.js'
import { type BaseTransaction, layOutBase } from '../journal/base-layout.js'
import { type BaseStamp, BaseWriter } from '../journal/base-writer.js'
import type { FileSystem, OpenFile } from '../journal/journal-file.js'
import { NO_PAGES, OidIndex, type OidIndexMemory } from '../journal/oid-index.js'
import { type Marked, markKept } from '../journal/pack-mark.js'
import { type ScannedRecords, scanLater, scanRecords, takePositions } from '../journal/pack-scan.js'
import { FOUND, type PackMemory, PackTables } from '../journal/pack-tables.js'
import type { PackedBase, TailProgress } from '../journal/packed-base.js'
import { RecordWalker } from '../journal/record-walker.js'
import { JournalView, openShared, type SharedJournal } from '../journal/shared-journal.js'
import { TailCopier } from '../journal/tail-copier.js'
import { writePackCheckpoint } from './pack-checkpoint.js'

const BLOCK_CACHE_BYTES = 256 * 1024

/** Bytes of later transactions that are copied in one task. */
const TAIL_BYTES = 16 * 1024 * 1024

/** A part of the old journal, by offsets. */
export interface PackScanTask {
  readonly shared: SharedJournal
  readonly memory: PackMemory
  readonly from: number
  readonly to: number
  /** Where the last transaction ends that is looked at. */
  readonly end: number
  /** Where the transactions end of which the versions are kept without history. */
  readonly boundary: number
}

/** A part of the index, by pages. */
export type PackIndexTask = Omit<PackScanTask, 'end'>

export interface PackMarkTask {
  readonly shared: SharedJournal
  readonly memory: PackMemory
  /** The newest tid that the base may take. */
  readonly newest: Tid
  readonly transactionBytes: number | undefined
  /** More objects that are not kept than this are not listed. */
  readonly mostRemoved: number
}

/** What is to be kept, and how it is to be stored. */
export interface PackPlan extends Marked {
  readonly transactions: readonly BaseTransaction[]
  /** The objects that are not kept; undefined if they are too many. */
  readonly removed: readonly Oid[] | undefined
}

export interface PackCopyTask {
  readonly shared: SharedJournal
  readonly memory: PackMemory
  /** Of the new file. */
  readonly path: string
  readonly index: OidIndexMemory
  readonly transaction: BaseTransaction
  readonly stamp: BaseStamp
}

export interface PackTailTask {
  readonly shared: SharedJournal
  readonly base: PackedBase
  /** Offset in the old journal where a transaction ends. */
  readonly to: number
  /** Given by tests: see {@link TailLimits}. */
  readonly largestBytes?: number | undefined
}

/** The steps of a pack that threads of the pool work on. */
export function packTasks(fileSystem: FileSystem) {
  return {
    packLater({ shared, memory, from, to, end, boundary }: PackScanTask): void {
      withJournal(fileSystem, shared, (file) => {
        const walker = new RecordWalker(file, shared.header, end)
        scanLater(walker, new PackTables(memory), from, to, boundary)
      })
    },

    packIndex({ shared, memory, ...range }: PackIndexTask): void {
      withView(fileSystem, shared, ({ index }, file) => takePositions(index, file, new PackTables(memory), range))
    },

    packRecords({ shared, memory, from, to, end }: PackScanTask): ScannedRecords {
      return withJournal(fileSystem, shared, (file) => {
        const walker = new RecordWalker(file, shared.header, end)
        return scanRecords(walker, new PackTables(memory), from, to)
      })
    },

    /** Undefined if it was cancelled. */
    packMark({ shared, memory, newest, transactionBytes, mostRemoved }: PackMarkTask): PackPlan | undefined {
      const tables = new PackTables(memory)
      const marked = withJournal(fileSystem, shared, (file) => markKept(tables, file))
      if (marked === undefined) return undefined
      return {
        ...marked,
        transactions: layOutBase(tables, newest, transactionBytes),
        removed: list(tables, mostRemoved),
      }
    },

    /** Returns the checksum of the transaction. */
    packCopy({ shared, memory, path, index, transaction, stamp }: PackCopyTask): number {
      return withJournal(fileSystem, shared, (source) =>
        withFile(fileSystem.open(path, 'write'), (target) => {
          const writer = new BaseWriter(source, target, new PackTables(memory), new OidIndex(index, NO_PAGES))
          return writer.write(transaction, stamp)
        }),
      )
    },

    /** Copies a part of the transactions after the base, and syncs it. */
    packTail({ shared, base, to, largestBytes }: PackTailTask): TailProgress {
      return withView(fileSystem, shared, ({ index, reader }, file) =>
        withFile(fileSystem.open(base.path, 'write'), (target) => {
          const copier = new TailCopier({ file, uuid: shared.header.uuid, index, reader }, target, base)
          copier.copy(to, { sourceBytes: TAIL_BYTES, transactionBytes: largestBytes })
          target.sync()
          return copier.progress
        }),
      )
    },

    /** See {@link writePackCheckpoint}. */
    packCheckpoint(base: PackedBase): number | undefined {
      return writePackCheckpoint(fileSystem, base)
    },
  }
}

function withFile<T>(file: OpenFile, work: (file: OpenFile) => T): T {
  try {
    return work(file)
  } finally {
    file.close()
  }
}

function withJournal<T>(fileSystem: FileSystem, shared: SharedJournal, work: (file: OpenFile) => T): T {
  return withFile(openShared(fileSystem, shared), work)
}

function withView<T>(fileSystem: FileSystem, shared: SharedJournal, work: (view: JournalView, file: OpenFile) => T): T {
  const view = JournalView.attach(fileSystem, shared, BLOCK_CACHE_BYTES)
  try {
    return withJournal(fileSystem, shared, (file) => work(view, file))
  } finally {
    view.release()
  }
}

function list({ positions, marks, oids }: PackTables, most: number): Oid[] | undefined {
  const removed: Oid[] = []
  for (let oid = 0; oid < oids; oid++) {
    if ((positions[oid] as number) <= 0 || marks[oid] === FOUND) continue
    if (removed.length === most) return undefined
    removed.push(oid)
  }
  return removed
}

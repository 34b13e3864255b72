import type { Oid, Tid } from '../core/oid.js'
import type { FileHeader } from './format.js'
import type { OidIndexMemory } from './oid-index.js'
import type { JournalState } from './recovery.js'

/**
 * A packed journal on its way: what was worth keeping of the old one up to `sourceEnd` stands in a new file.
 *
 * Its first transactions, the base, hold the versions as of transaction `header.historyFrom`. Their records keep the
 * tids of the transactions that had written them, and have no previous version. What comes behind are the later
 * transactions of the old journal, copied whole by the TailCopier.
 */
export interface PackedBase {
  /** The new file. It need not have been synced. */
  readonly path: string
  readonly header: FileHeader
  /** Where the newest version of each object stands in the new file. All of it is in memory: it has no stored pages. */
  readonly index: OidIndexMemory
  /** Of the new file. `tid`, `time` and `nextOid` are those of the last transaction that was copied. */
  readonly state: JournalState
  /** Offset in the old journal up to which it has been copied: behind transaction `state.tid`. */
  readonly sourceEnd: number
}

/** How far the copying of later transactions has come. */
export type TailProgress = Pick<PackedBase, 'state' | 'sourceEnd'>

/** Asks for the old journal to be replaced by a packed one. */
export interface SwitchRequest {
  readonly base: PackedBase
  /** Keep the old file, with `.prepack` appended to its name. */
  readonly keepOld: boolean
  /** The most that may have to be copied while commits wait, in bytes. */
  readonly maxTailBytes: number
  /**
   * All objects that are in the old journal and were not in the new one when it had its base; undefined if they are
   * too many to be told. Those that were carried over since are no harm.
   */
  readonly removed: readonly Oid[] | undefined
  /** Up to this offset the new journal is covered by a checkpoint beside it; undefined if there is none. */
  readonly checkpointCovered?: number | undefined
}

/** What came of it. */
export type SwitchOutcome =
  | {
      readonly switched: true
      /** The pack's own transaction: the objects that are gone were removed by it. */
      readonly tid: Tid
      /** Of the new journal. */
      readonly state: JournalState
    }
  /** Too much was left to copy. So far it has come; catch up, and ask again. */
  | ({ readonly switched: false } & TailProgress)

/** Where the new journal is written. A file left there is removed when the database is opened for writing. */
export function packPath(journalPath: string): string {
  return `${journalPath}.pack`
}

/** Where the old journal is kept, if that was asked for. */
export function prepackPath(journalPath: string): string {
  return `${journalPath}.prepack`
}

/** The old journal's second name, until it takes the place of what was kept by an earlier pack. */
export function prepackTemporaryPath(journalPath: string): string {
  return `${prepackPath(journalPath)}.new`
}

import type { Tid } from '../core/oid.js'
import type { DanglingReference, LostObject } from '../journal/losses.js'

export type { DanglingReference, LostObject }

/** What a repaired database is to hold. */
export type RepairKeep =
  /** Everything that is good: also the intact records of transactions that are damaged. */
  | 'records'
  /** Only transactions that are whole. */
  | 'transactions'
  /** The transactions before the first damage: the newest state that surely once was the state of the database. */
  | 'prefix'

export interface RepairOptions {
  /** The new file. Default: the path of the damaged one and `.repaired`. */
  readonly to?: string | undefined
  /** Default 'records'. */
  readonly keep?: RepairKeep | undefined
  /**
   * Also salvage what opening the file would cut off: what lies at the end and is not known to have been stored
   * safely. These are the remains of commits that were never acknowledged; but if the `.index` and `.live` files are
   * gone, the last commits may be among them. Default false.
   */
  readonly unacknowledged?: boolean | undefined
  /** Name of the serializer that made the states. Needed only when the file header is damaged. */
  readonly serializer?: string | undefined
  /** Called now and then, and once at the end of each phase. */
  readonly onProgress?: ((progress: RepairProgress) => void) | undefined
  /** Stops the work; the promise then rejects with the signal's reason, and no new file is left. */
  readonly signal?: AbortSignal | undefined
}

export interface RepairProgress {
  /** `scan` reads the damaged file, `copy` reads it again and writes the new one, `check` reads the new one. */
  readonly phase: 'scan' | 'copy' | 'check'
  readonly bytes: number
  readonly bytesTotal: number
}

/** A stretch of the file where there should be transactions and is none that is whole. */
export interface DamagedRegion {
  /** In bytes. */
  readonly offset: number
  /** In bytes. It ends behind the end of the file if that was cut off. */
  readonly length: number
  /** The transactions that stood there; `last` is undefined at the end of the file, where that is not known. */
  readonly first: Tid
  readonly last: Tid | undefined
}

/** What {@link repairFile} did. Lists hold at most the first 10,000; the counts tell how many there are. */
export interface RepairReport {
  /** The damaged file, which has not been changed. */
  readonly path: string
  /** The new file. */
  readonly to: string
  /** False if nothing was wrong, so that the new file holds all that the old one held. */
  readonly damaged: boolean
  /** Whether the file header was damaged. It has been made anew. */
  readonly headerDamaged: boolean
  /** Bytes that the disk could not read. */
  readonly unreadableBytes: number
  readonly damage: readonly DamagedRegion[]
  readonly damageCount: number
  /** What was left out because it was never acknowledged, as opening the file would; undefined if nothing was. */
  readonly tornTail: { readonly offset: number; readonly length: number } | undefined
  /** Transactions that are whole, that have lost records or their note, and of which nothing is left. */
  readonly transactions: { readonly whole: number; readonly partial: number; readonly lost: number }
  /** Records taken out of transactions that are not whole. */
  readonly salvagedRecords: number
  /** Objects in the new file. */
  readonly objects: number
  /** Size of the new file. */
  readonly bytes: number
  /** Newest transaction of the new file. */
  readonly tid: Tid
  /** Objects known to be lost, by oid; or of which the newest version is lost and an older one is kept. */
  readonly lost: readonly LostObject[]
  readonly lostCount: number
  /** References in the new file that lead nowhere. */
  readonly dangling: readonly DanglingReference[]
  readonly danglingCount: number
}

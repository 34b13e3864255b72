import type { MessagePort } from 'node:worker_threads'
import type { Conflict, PackedError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { SwitchOutcome, SwitchRequest } from '../journal/packed-base.js'
import type { RecoveryReport } from '../journal/recovery.js'
import type { SharedJournal } from '../journal/shared-journal.js'

/** What a resolved commit has survived: `fsync` a power cut, `os` the end of the process. */
export type Durability = 'fsync' | 'os'

/*
 * The doorbell: two numbers in shared memory. BELL is changed, and waked upon, after each message to the coordinator.
 * AWAKE is 1 while the coordinator works or looks at the bell, and 0 while it sleeps.
 */
export const BELL = 0
export const AWAKE = 1
export const DOORBELL_BYTES = 8

/** Given to the coordinator's thread when it is started. */
export interface CoordinatorSettings {
  readonly path: string
  readonly durability: Durability
  /** Load the whole index at once. */
  readonly loadIndex: boolean
  /** Bytes of journal after which a new checkpoint is written. */
  readonly checkpointBytes: number
  /** Bytes by which the file is made longer than needed. Tests use less than the default, to see it happen. */
  readonly preallocationBytes?: number
}

/** One handle's way to the coordinator, seen from there. */
export interface ClientEnd {
  readonly port: MessagePort
  /** Memory of an AnswerSlot. */
  readonly slot: SharedArrayBuffer
  /** Memory of a NewsFlag. */
  readonly news: SharedArrayBuffer
}

export interface CoordinatorWorkerData {
  readonly settings: CoordinatorSettings
  /** The owner's. Others come by `connect`. */
  readonly client: ClientEnd
  /** See {@link BELL}. */
  readonly doorbell: SharedArrayBuffer
}

/** One transaction on its way to the coordinator. */
export interface CommitMessage {
  /** Comes back with the answer. */
  readonly id: number
  readonly base: Tid
  readonly reads: readonly Oid[]
  /** As `layOutTransaction` made it; undefined if nothing is written. */
  readonly image: Uint8Array<ArrayBuffer> | undefined
  /** Of a transaction that is copied from another storage: when it was committed, in ms since 1970. */
  readonly restoredAt?: number | undefined
}

/** From a handle to the coordinator. */
export type CoordinatorRequest =
  | { readonly type: 'commits'; readonly commits: readonly CommitMessage[] }
  | { readonly type: 'connect'; readonly client: ClientEnd }
  /** See `CoordinatorLoop.switchTo`. */
  | { readonly type: 'switch'; readonly id: number; readonly request: SwitchRequest }
  /** From the owner only: finish what has come in, then close the journal. */
  | { readonly type: 'close' }

/** What became of a commit: exactly one of the three. */
export type CommitOutcome =
  | { readonly tid: Tid; readonly conflicts?: undefined; readonly error?: undefined }
  | { readonly conflicts: readonly Conflict[]; readonly tid?: undefined; readonly error?: undefined }
  | {
      readonly error: PackedError
      readonly cause?: PackedError | undefined
      readonly tid?: undefined
      readonly conflicts?: undefined
    }

export interface CommitAnswer {
  readonly id: number
  readonly outcome: CommitOutcome
}

/** From the coordinator to a handle. */
export type CoordinatorReply =
  | { readonly type: 'answers'; readonly answers: readonly CommitAnswer[] }
  | { readonly type: 'switched'; readonly id: number; readonly outcome: SwitchOutcome | PackedError }
  /** A pack has made a new journal. The flag is raised after this was sent. */
  | { readonly type: 'journal'; readonly shared: SharedJournal }
  /** The journal has been closed in good order. */
  | { readonly type: 'closed' }

/** From the coordinator to the thread that started it. */
export type CoordinatorEvent =
  | { readonly type: 'ready'; readonly shared: SharedJournal; readonly recovery: RecoveryReport }
  | { readonly type: 'failed'; readonly error: PackedError }
  | { readonly type: 'closed'; readonly error?: PackedError }

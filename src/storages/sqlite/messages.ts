import type { MessagePort } from 'node:worker_threads'
import type { PackedError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import type { CommitAnswer, Durability } from '../../workers/messages.js'

/** Given to the thread that writes. */
export interface WriterSettings {
  readonly path: string
  readonly durability: Durability
  /** For a new database. */
  readonly serializer: string | undefined
  /** Memory for pages of the file, in bytes. */
  readonly cacheBytes: number
}

/** One handle's way to the writer, seen from there. */
export interface WriterClientEnd {
  readonly port: MessagePort
  /** Memory of its OpenTids. */
  readonly openTids: SharedArrayBuffer
}

export interface WriterThreadData {
  readonly settings: WriterSettings
  /** The owner's. Others come by `connect`. */
  readonly client: WriterClientEnd
}

/** One transaction on its way to the writer. */
export interface CommitMessage {
  /** Comes back with the answer. */
  readonly id: number
  readonly base: Tid
  readonly reads: readonly Oid[]
  readonly oids: readonly Oid[]
  /** Where the record of each object ends in `data`. */
  readonly ends: readonly number[]
  readonly data: Uint8Array<ArrayBuffer>
  readonly note: string
  readonly user: string
  readonly token: Uint8Array | undefined
  /** Of a transaction that is copied from another storage: when it was committed, in ms since 1970. */
  readonly restoredAt: number | undefined
}

/** What a pack has found, for the writer to remove. */
export interface RemovalRequest {
  /** The state in which it has looked. */
  readonly seen: Tid
  /** Where history begins afterwards. */
  readonly historyFrom: Tid
  /** Objects that could not be reached from `historyFrom` on. */
  readonly garbage: Float64Array<ArrayBuffer>
  /** Objects of which there are versions that nothing but open snapshots needs. */
  readonly superseded: Float64Array<ArrayBuffer>
}

/** From a handle to the writer. */
export type WriterRequest =
  | { readonly type: 'commits'; readonly commits: readonly CommitMessage[] }
  | { readonly type: 'connect'; readonly client: WriterClientEnd }
  | { readonly type: 'remove'; readonly request: RemovalRequest }
  /** What becomes of a removal that is prepared. It can be given up before, too. */
  | { readonly type: 'proceed' }
  | { readonly type: 'cancel' }
  /** From the owner only: finish what has come in, then close the database. */
  | { readonly type: 'close' }

/** From the writer to a handle. */
export type WriterReply =
  | { readonly type: 'answers'; readonly answers: readonly CommitAnswer[] }
  | { readonly type: 'prepared' }
  | { readonly type: 'removing'; readonly objects: number; readonly objectsTotal: number }
  | { readonly type: 'removed'; readonly outcome: 'done' | 'cancelled' | PackedError }
  | { readonly type: 'closed' }

/** What is known when a database has been opened. */
export interface OpenedDatabase {
  readonly serializer: string
  readonly databaseId: string
  readonly created: number
  /** Memory of the PublishedNumbers. */
  readonly published: SharedArrayBuffer
}

/** From the writer's thread to the one that started it. */
export type WriterEvent =
  | { readonly type: 'ready'; readonly opened: OpenedDatabase }
  | { readonly type: 'failed'; readonly error: PackedError }
  | { readonly type: 'closed'; readonly error?: PackedError }

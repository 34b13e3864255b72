import type { Conflict, PackedError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import type {
  Capability,
  PackProgress,
  PackResult,
  RecordBatch,
  RecordWrite,
  Retention,
  StorageStatistics,
  StoredRecord,
  TransactionInfo,
  VerifyProgress,
  VerifyReport,
} from '../../core/storage.js'

/*
 * Protocol 2: what clients and servers say to each other. docs/protocol.md has the bytes.
 *
 * The client opens with the preface. From then on both sides send frames, pipelined: a request carries an id, and all
 * that answers it carries the same. A request is answered by exactly one final frame (a reply or an error); requests
 * for streams are answered by parts before it. Frames without an id (0) are notices, which are not answered.
 *
 * Order. What the server sends arrives in the order it was sent. Before it sends a tid that is newer than those it has
 * sent so far, as the answer to `snapshot`, `commit` or `outcome`, it has sent `changed` notices that cover all
 * transactions up to it. So a client that knows a tid knows all that has changed up to it. The first notice of a
 * connection covers everything from 0 on and names no oids: what a client may know from an earlier connection may have
 * changed. Each later one begins where the one before it ended. Notices may also come unasked.
 */

/** The version of this protocol. Version 1 is that of Durus. */
export const PROTOCOL_VERSION = 2

/** The first eight bytes from a client. Durus clients begin with `V`, TLS with 0x16. */
export const PREFACE = Buffer.from('\x89PERD2\r\n', 'latin1')

/** What each side agrees to take, and holds the other to. */
export interface Limits {
  /** Longest frame, in bytes, its length field not included. */
  readonly frameBytes: number
  /** Requests of one client that have not been answered. */
  readonly requests: number
  /** Snapshots that one client holds. */
  readonly snapshots: number
}

export const DEFAULT_LIMITS: Limits = { frameBytes: 72 * 1024 * 1024, requests: 1024, snapshots: 65_536 }

/** A server's readers load; writers commit as well; admins also pack, verify and stop. */
export type Role = 'reader' | 'writer' | 'admin'

/** First frame from the client. */
export interface Hello {
  readonly versions: readonly number[]
  readonly limits: Limits
  /** For the server's log: package, release, pid. */
  readonly agent: string
}

/** What the server answers when the client may begin, at once or after it has authenticated itself. */
export interface Welcome {
  readonly version: number
  /** What both sides keep to from here on. */
  readonly limits: Limits
  /** Another one each time the server starts. */
  readonly serverId: string
  /** The same as long as it is the same database, whatever server it is served by, if its storage can tell; else ''. */
  readonly databaseId: string
  readonly location: string
  readonly serializer: string
  readonly capabilities: readonly Capability[]
  readonly readonly: boolean
  readonly role: Role
}

/** From the client to the server. */
export type Request =
  | { readonly type: 'hello'; readonly hello: Hello }
  /** A message of a SASL mechanism (RFC 4422); `mechanism` in the first one only. */
  | { readonly type: 'authenticate'; readonly mechanism: string; readonly data: Uint8Array }
  | { readonly type: 'ping' }
  /** The newest state; or, with `at`, a past one: a tid, or a time in ms since 1970. Held until it is released. */
  | {
      readonly type: 'snapshot'
      readonly at?: { readonly tid: Tid } | { readonly time: number }
    }
  /** Answered by `records` parts: the object, if it exists, then what it refers to, breadth-first, as far as the budget goes. */
  | {
      readonly type: 'load'
      readonly snapshot: number
      readonly oid: Oid
      /** Records and bytes that may be sent besides the one asked for. */
      readonly aheadRecords: number
      readonly aheadBytes: number
    }
  | { readonly type: 'loadMany'; readonly snapshot: number; readonly oids: readonly Oid[] }
  | { readonly type: 'records'; readonly snapshot: number }
  | { readonly type: 'scan'; readonly snapshot: number }
  | { readonly type: 'allocate'; readonly count: number }
  | {
      readonly type: 'commit'
      readonly base: Tid
      readonly token: Uint8Array
      readonly note: string
      readonly user: string
      readonly reads: readonly Oid[]
      readonly writes: readonly RecordWrite[]
    }
  /**
   * What became of the commit with this token. Waits for it if it is under way; if the server has not seen it, it
   * never lets it through afterwards, so the answer stays true.
   */
  | { readonly type: 'outcome'; readonly token: Uint8Array; readonly base: Tid }
  | {
      readonly type: 'transactions'
      readonly from?: { readonly tid: Tid } | { readonly time: number }
      readonly to?: { readonly tid: Tid } | { readonly time: number }
      readonly oid?: Oid
      readonly newestFirst: boolean
    }
  | { readonly type: 'pack'; readonly retain?: Retention; readonly keepOld: boolean }
  | { readonly type: 'verify' }
  | { readonly type: 'statistics' }
  /** Ends the server. */
  | { readonly type: 'stop' }

/** From the client, not answered. */
export type ClientNotice =
  | { readonly type: 'release'; readonly snapshot: number }
  /** Gives up a request that has not been answered; its final frame still comes. */
  | { readonly type: 'cancel'; readonly request: number }
  /** So many more parts of the answer to `request` may be sent. A stream begins with {@link STREAM_WINDOW} of them. */
  | { readonly type: 'credit'; readonly request: number; readonly parts: number }
  | { readonly type: 'goodbye' }

/**
 * Parts of a stream that are sent before the client has to grant more. Those with records, batches and transactions
 * count; progress does not.
 */
export const STREAM_WINDOW = 16

/** How many objects one `loadMany` may ask for. */
export const MAX_LOAD_MANY = 65_536

/** How many objects one commit may write, and how many it may name as read. */
export const MAX_COMMIT_WRITES = 1_048_576
export const MAX_COMMIT_READS = 16_777_216

/** Length of a commit's token. */
export const TOKEN_BYTES = 16

/** What answers a request for good. */
export type Reply =
  | { readonly type: 'welcome'; readonly welcome: Welcome }
  /** The next message of the SASL exchange. `final` comes with the last one, which `welcome` answers. */
  | { readonly type: 'challenge'; readonly mechanisms: readonly string[]; readonly data: Uint8Array }
  /** Of ping, stop, and what ends a stream that has sent all its parts. */
  | { readonly type: 'done' }
  | { readonly type: 'snapshot'; readonly snapshot: number; readonly tid: Tid }
  | { readonly type: 'allocated'; readonly first: Oid }
  | { readonly type: 'committed'; readonly tid: Tid }
  | { readonly type: 'conflicts'; readonly conflicts: readonly Conflict[] }
  | { readonly type: 'outcome'; readonly outcome: 'committed' | 'refused' | 'unknown'; readonly tid: Tid }
  | { readonly type: 'packed'; readonly result: PackResult }
  | { readonly type: 'verified'; readonly report: VerifyReport }
  | { readonly type: 'statistics'; readonly statistics: StorageStatistics }
  | { readonly type: 'error'; readonly error: PackedError }

/** Parts of an answer, before the final frame. */
export type Part =
  /** Answers `load`, `loadMany` and `records`. For `loadMany` in the order asked; a missing record has no data. */
  | { readonly type: 'recordsPart'; readonly records: readonly (StoredRecord | undefined)[] }
  | { readonly type: 'batchPart'; readonly batch: RecordBatch }
  | { readonly type: 'transactionsPart'; readonly transactions: readonly TransactionInfo[] }
  | { readonly type: 'packProgress'; readonly progress: PackProgress }
  | { readonly type: 'verifyProgress'; readonly progress: VerifyProgress }

/** From the server, not asked for. */
export type ServerNotice =
  /** The transactions after `after` up to `upTo` have changed these objects; without `oids`, nobody can tell any more. */
  | { readonly type: 'changed'; readonly after: Tid; readonly upTo: Tid; readonly oids: readonly Oid[] | undefined }
  /** The server closes the connection for this reason after this frame. */
  | { readonly type: 'closing'; readonly error: PackedError }

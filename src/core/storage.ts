import type { MessagePort } from 'node:worker_threads'
import type { Conflict } from './errors.js'
import type { Oid, Tid } from './oid.js'

/**
 * What a storage can do beyond loading and committing. The conformance suite runs the tests that belong to each
 * name a storage lists, and users can ask before they try.
 */
export type Capability =
  /** Data is still there when the storage is closed and opened again. */
  | 'persistent'
  /** `commit` resolves only after the data would survive a power cut (unless the user asked for less). */
  | 'durable'
  /** `pack` removes what cannot be reached from the root. */
  | 'pack'
  /** Past transactions can be listed, and read as they were, back to the last pack and as far as that kept them. */
  | 'history'
  /** `share` gives handles that other threads of the process can open. */
  | 'threads'
  /** Other processes can open it readonly while this one writes. */
  | 'readers'
  /** `verify` checks every byte of the storage. */
  | 'verify'
  /** Transactions of another storage can be copied into it: see {@link CommitRequest.restored}. */
  | 'restore'

/** One new version of one object, as given to {@link Storage.commit}. */
export interface RecordWrite {
  readonly oid: Oid
  /** The encoded record (see core/record.ts). The storage reads only its references, never its state. */
  readonly data: Uint8Array
}

/** One stored version of one object. */
export interface StoredRecord {
  readonly oid: Oid
  /** The transaction that wrote this version. */
  readonly tid: Tid
  /** The encoded record. It may be a view of a buffer that is shared and must not be written to. */
  readonly data: Uint8Array
}

/** One transaction, as given to {@link Storage.commit}. */
export interface CommitRequest {
  /** The snapshot at which the transaction read. */
  readonly base: Tid
  /** Objects that must not have changed since `base`, besides those in `writes`. New oids need not be listed. */
  readonly reads: readonly Oid[]
  /** New versions, each oid at most once. Empty means: only check `reads`. */
  readonly writes: readonly RecordWrite[]
  /** A remark that is kept with the transaction. At most 65,535 bytes of UTF-8. */
  readonly note?: string
  /** Who commits; kept with the transaction. At most 255 bytes of UTF-8. */
  readonly user?: string
  /**
   * 16 bytes that no other transaction has, kept with it. By them a client that has lost its connection finds out
   * whether the transaction was committed.
   */
  readonly token?: Uint8Array
  /** Says that this is a copy of another storage's transaction. Needs the capability `restore`. */
  readonly restored?: RestoredTransaction
}

/**
 * A transaction that is copied from another storage. What its records refer to may be still to come, so the references
 * are not checked: whoever copies sees to it that in the end everything is there. Oids that have been allocated before it
 * are not given out again, not even after the storage was closed: in the other storage they may have been somebody's.
 */
export interface RestoredTransaction {
  /** When it was committed. A storage that keeps times takes this one, or that of the transaction before if it is later. */
  readonly time: Date
}

/** Either the transaction's tid, or the objects that have changed since its base. */
export type CommitResult =
  | { readonly tid: Tid; readonly conflicts?: undefined }
  | { readonly tid?: undefined; readonly conflicts: readonly Conflict[] }

/**
 * A view of the storage as of one transaction. It stays readable, unchanged, until it is released, whatever is
 * committed or packed meanwhile. Cheap to take: a connection takes one for each transaction.
 */
export interface Snapshot {
  readonly tid: Tid

  /**
   * The version of `oid` that was current at `tid`, or undefined if there was none. Synchronous, because touching
   * a ghost is. The bytes may be a view of a shared buffer: do not write to them, copy what must outlive the call.
   *
   * @throws PerdureError `PERDURE_CORRUPTION`, `PERDURE_IO`, `PERDURE_CLOSED`
   */
  load(oid: Oid): StoredRecord | undefined

  /** As {@link load} for many, in the order asked, without blocking the thread for long. */
  loadMany(oids: readonly Oid[]): Promise<(StoredRecord | undefined)[]>

  /** Every object's version that was current at `tid`, in no particular order. */
  records(): AsyncIterable<StoredRecord>

  /**
   * As {@link records}, without the states: what is needed to walk the graph of all objects, or to count them. Much
   * faster where the storage can use several threads.
   */
  scan(): AsyncIterable<RecordBatch>

  /** Gives up the view. May be called more than once; anything else afterwards throws `PERDURE_CLOSED`. */
  release(): void
}

/**
 * Some objects of a snapshot without their states, in parallel arrays: object `i` is `oids[i]`, of the class
 * `classNames[classes[i]]`, and refers to `references[referenceEnds[i - 1] ?? 0]` up to, and without,
 * `references[referenceEnds[i]]`.
 */
export interface RecordBatch {
  readonly oids: Float64Array
  /** The transactions that wrote the versions. */
  readonly tids: Float64Array
  /** Sizes of the encoded records, in bytes. */
  readonly bytes: Uint32Array
  readonly classes: Uint32Array
  readonly classNames: readonly string[]
  readonly referenceEnds: Uint32Array
  /** Oids, in the order of the record; one may occur more than once. */
  readonly references: Float64Array
}

/** A moment of the past: a transaction, or the last one not later than a time. */
export type PointInTime = Tid | Date

/** Which transactions {@link Storage.transactions} gives. */
export interface TransactionRange {
  /** The oldest wanted, itself included. Default: the oldest there is. */
  readonly from?: PointInTime
  /** The newest wanted, itself included. Default: the newest at the time of the call. */
  readonly to?: PointInTime
  /** Only those that wrote this object. */
  readonly oid?: Oid
  /** Default: oldest first. */
  readonly newestFirst?: boolean
}

/** One past transaction. */
export interface TransactionInfo {
  readonly tid: Tid
  readonly time: Date
  /** '' if the commit had none. */
  readonly note: string
  /** '' if the commit had none. */
  readonly user: string
  /** That of the commit; a storage may choose one where none was given. */
  readonly token?: Uint8Array
  /** What it takes in the storage, in bytes. */
  readonly bytes: number
  /** The objects it wrote. */
  readonly oids: readonly Oid[]
}

/** What happened since the storage was opened. */
export interface StorageStatistics {
  /** Records loaded by this handle. */
  readonly loads: number
  /** Transactions committed, by anybody. */
  readonly commits: number
  /** Commits refused because of a conflict, by anybody. */
  readonly conflicts: number
  /** Size of the stored data, in bytes. */
  readonly bytes: number
  /** Newest transaction. */
  readonly tid: Tid
  /** Storages may add figures of their own. */
  readonly [name: string]: number | string
}

/**
 * How much of the past a pack keeps: everything from some point on. What could be reached then, or at any time since,
 * is kept with it.
 */
export type Retention =
  | { readonly tid: Tid }
  | { readonly date: Date }
  /** Until now, in ms. */
  | { readonly durationMs: number }
  /** How many of the newest transactions. */
  | { readonly transactions: number }

/** Options of {@link Storage.pack}. */
export interface PackOptions {
  /** Default: no history, only the newest state. */
  readonly retain?: Retention
  /** Keeps the file as it was before, with `.prepack` appended to its name, in place of an earlier one. */
  readonly keepOld?: boolean
  /** Called now and then, and once at the end. */
  readonly onProgress?: (progress: PackProgress) => void
  /** Gives the work up; nothing has changed then, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface PackProgress {
  /** Which objects there are; which can be reached; copying these; copying what is committed meanwhile; taking over. */
  readonly phase: 'scan' | 'mark' | 'copy' | 'catch-up' | 'switch'
  readonly objects: number
  readonly objectsTotal: number
  readonly bytes: number
  readonly bytesTotal: number
  /** Estimated from the speed so far, for the whole pack, in ms; undefined as long as nothing is known. */
  readonly remainingMs: number | undefined
}

/** Reported by {@link Storage.pack}. */
export interface PackResult {
  readonly objectsBefore: number
  readonly objectsAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** The transaction from which on history is left. */
  readonly historyFrom: Tid
}

/** Options of {@link Storage.verify}. */
export interface VerifyOptions {
  /** Called now and then, and once at the end. */
  readonly onProgress?: (progress: VerifyProgress) => void
  /** Stops the work; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface VerifyProgress {
  readonly objects: number
  readonly objectsTotal: number
  readonly bytes: number
  readonly bytesTotal: number
}

/** One thing that is wrong with one object, or with the file where no object can be named. */
export interface VerifyProblem {
  readonly kind: 'damaged' | 'undecodable' | 'dangling-reference' | 'wrong-class' | 'index'
  readonly oid?: Oid
  readonly className?: string
  /** Byte offset in the file. */
  readonly offset?: number
  readonly message: string
}

/** What {@link Storage.verify} found. The storage is sound if `problems` is empty. */
export interface VerifyReport {
  readonly objects: number
  readonly bytes: number
  /** How many objects there are of each class. */
  readonly classes: ReadonlyMap<string, number>
  /** At most the first 1,000. */
  readonly problems: readonly VerifyProblem[]
  readonly problemCount: number
}

/** What {@link Storage.share} gives: send `handle` to the other thread with `transferList`. */
export interface SharedStorage {
  readonly handle: object
  readonly transferList: MessagePort[]
}

/**
 * Where records live. Implementations: MemoryStorage, FileStorage, SqliteStorage, ClientStorage. Every one passes test/conformance, which is
 * published as `perdure/testing` for those written by others.
 *
 * Consistency. Commits are totally ordered by tid. A commit is validated and becomes visible atomically: every
 * snapshot sees all of it or nothing. Nobody sees a commit before its promise could resolve, and once it has
 * resolved, every snapshot taken afterwards, by any handle of the storage, sees it.
 *
 * Order. `commit` copies or transfers what it is given before it returns its promise; the caller may reuse the
 * bytes at once. Commits of one handle are validated in the order of the calls.
 *
 * Failure. A commit that rejects has either surely not happened, or the storage refuses all further commits
 * (`PERDURE_POISONED`) until it has been reopened. Nothing hangs: when a thread or a peer is lost, every
 * waiting promise rejects.
 */
export interface Storage {
  /** What kind of storage this is, in a word: `memory`, `file`, `sqlite`, `client`. */
  readonly kind: string
  /** Where it is, for messages: a path or a URL. */
  readonly location: string
  /** Name of the serializer whose states it holds. */
  readonly serializer: string
  readonly capabilities: ReadonlySet<Capability>
  readonly readonly: boolean
  /**
   * Changes when oids that were allocated, and not committed, must not be used any more, because a server that has been
   * started anew may give them to others. Not there if that cannot happen.
   */
  readonly oidEpoch?: number

  /** A view of the newest committed state. */
  snapshot(): Snapshot

  /**
   * A view of the past. A time after the newest transaction means the newest; transaction 0, and a time before the
   * first one, mean the empty storage.
   *
   * @throws PerdureError `PERDURE_HISTORY` if it is further back than history goes, with `details.historyFrom` and
   *   `details.historyTime`; `PERDURE_ARGUMENT` for a tid that is still to come; `PERDURE_UNSUPPORTED` without the
   *   capability `history`
   */
  snapshotAt(at: PointInTime): Promise<Snapshot>

  /**
   * Past transactions, as far as they are kept: those after the oldest one that can be read. Commits and packs go on
   * meanwhile.
   *
   * @throws PerdureError `PERDURE_HISTORY` if `from` is further back than history goes; `PERDURE_ARGUMENT` for what is
   *   neither a tid nor a date; `PERDURE_CORRUPTION`, `PERDURE_CLOSED`; `PERDURE_UNSUPPORTED` without the capability
   *   `history`
   */
  transactions(range?: TransactionRange): AsyncIterable<TransactionInfo>

  /**
   * The oids written, or removed by a pack, by the transactions after `after` and up to and including `upTo`, each at least once. Undefined
   * if the storage no longer knows: the caller must then take every object as changed.
   */
  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined

  /**
   * Reserves `count` consecutive oids that no other caller has been or will be given, and returns the first.
   * Oids reserved and never committed may be given out again after the storage was closed.
   */
  allocateOids(count: number): Oid

  /**
   * Makes the writes the newest versions, if none of the oids read or written has changed since `base`.
   * In a request without writes nothing is stored and the answer's tid is `base`.
   *
   * A record that refers to an object that neither exists nor is written by the same request is refused: as a
   * conflict if the object was removed after `base`, and with `PERDURE_OBJECT_MISSING` otherwise.
   *
   * @throws PerdureError `PERDURE_READONLY`, `PERDURE_RECORD_TOO_LARGE`, `PERDURE_LIMIT`, `PERDURE_NO_SPACE`,
   *   `PERDURE_POISONED`, `PERDURE_OBJECT_MISSING` with `details.oid`, the object that does not exist, and
   *   `details.referrer`, the one that refers to it; `PERDURE_DECODE` if something to be written is not a record;
   *   `PERDURE_CLOSED`, `PERDURE_THREAD`; `PERDURE_UNSUPPORTED` for `restored` without the capability `restore`
   */
  commit(request: CommitRequest): Promise<CommitResult>

  /**
   * Removes objects that cannot be reached from the root, and versions that are not to be retained. Commits and loads
   * go on meanwhile. Open snapshots go on seeing what they see. What has been committed, or referred to, by any
   * transaction during the pack survives. Objects that are removed count among the {@link changes} of a transaction
   * of the pack's own.
   *
   * @throws PerdureError `PERDURE_BUSY` while another pack is under way, `PERDURE_READONLY`, `PERDURE_NO_SPACE`,
   *   `PERDURE_HISTORY` if less is kept already than is to be retained; `PERDURE_UNSUPPORTED` without the capability
   *   `pack`, or for an option the storage does not have; the reason of `options.signal`
   */
  pack(options?: PackOptions): Promise<PackResult>

  /**
   * Reads every object of the newest state, checks its checksum, decodes its state, and checks that what it refers
   * to exists and is of the class the reference names. A storage with a history checks the checksums of superseded
   * versions as well. Damage is reported, not thrown.
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` without the capability `verify`
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>

  /**
   * A handle for one other thread of this process, where `open(handle)` opens the same storage. It ends with
   * the handle that shared it.
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` without the capability `threads`
   */
  share(): SharedStorage

  statistics(): StorageStatistics

  /** Waits for the commits under way, then closes. May be called more than once. */
  close(): Promise<void>
}

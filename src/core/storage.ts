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
  /** `share` gives handles that other threads of the process can open. */
  | 'threads'
  /** Other processes can open it readonly while this one writes. */
  | 'readers'
  /** `verify` checks every byte of the storage. */
  | 'verify'

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

  /** Gives up the view. May be called more than once; anything else afterwards throws `PERDURE_CLOSED`. */
  release(): void
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

/** Reported by {@link Storage.pack}. */
export interface PackResult {
  readonly objectsBefore: number
  readonly objectsAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
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
 * Where records live. Implementations: MemoryStorage, FileStorage. Every one passes test/conformance, which is
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
  /** What kind of storage this is, in a word: `memory`, `file`. */
  readonly kind: string
  /** Where it is, for messages: a path or a URL. */
  readonly location: string
  /** Name of the serializer whose states it holds. */
  readonly serializer: string
  readonly capabilities: ReadonlySet<Capability>
  readonly readonly: boolean

  /** A view of the newest committed state. */
  snapshot(): Snapshot

  /**
   * The oids written by the transactions after `after` and up to and including `upTo`, each at least once. Undefined
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
   * @throws PerdureError `PERDURE_READONLY`, `PERDURE_RECORD_TOO_LARGE`, `PERDURE_NO_SPACE`, `PERDURE_POISONED`,
   *   `PERDURE_CLOSED`, `PERDURE_THREAD`
   */
  commit(request: CommitRequest): Promise<CommitResult>

  /**
   * Removes objects that cannot be reached from the root, and versions no snapshot needs.
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` without the capability `pack`
   */
  pack(): Promise<PackResult>

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

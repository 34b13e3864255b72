import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Oid, Tid } from '../../src/core/oid.js'
import type {
  CommitRequest,
  CommitResult,
  RecordBatch,
  Snapshot,
  Storage,
  StoredRecord,
} from '../../src/core/storage.js'
import type { Random } from '../../src/testing/random.js'
import { DelegatingStorage } from './delegating-storage.js'

/** How many turns of the event loop a bug lets pass between two things that should be one. */
const GAP_TURNS = 3

/** The first transactions make the root and the lists: without them there would be nothing to get wrong. */
const SETUP_TRANSACTIONS = 2

/** Checks what a transaction wrote, and not what it read. */
export class SkippedReadValidation extends DelegatingStorage {
  override commit(request: CommitRequest): Promise<CommitResult> {
    return this.inner.commit({ ...request, reads: [] })
  }
}

/** Checks nothing: the last one wins. */
export class SkippedValidation extends DelegatingStorage {
  override commit(request: CommitRequest): Promise<CommitResult> {
    return this.inner.commit({ ...request, reads: [], base: this.inner.statistics().tid })
  }
}

/** Forgets, now and then, to say that an object has changed. */
export class LostInvalidation extends DelegatingStorage {
  readonly #random: Random

  constructor(inner: Storage, random: Random) {
    super(inner)
    this.#random = random
  }

  override changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    const oids = this.inner.changes(after, upTo)
    return oids === undefined ? undefined : [...oids].filter(() => this.#random.below(10) > 0)
  }
}

/** Answers a commit some turns before others can see it. */
export class EarlyAnswer extends DelegatingStorage {
  #published: Snapshot | undefined

  override snapshot(): Snapshot {
    return this.#published === undefined ? this.inner.snapshot() : new BorrowedSnapshot(this.#published)
  }

  override async commit(request: CommitRequest): Promise<CommitResult> {
    const before = this.inner.snapshot()
    const result = await this.inner.commit(request)
    if (result.conflicts === undefined && this.#published === undefined && before.tid >= SETUP_TRANSACTIONS) {
      this.#published = before
      void this.#publishLater()
    }
    return result
  }

  async #publishLater(): Promise<void> {
    for (let i = 0; i < GAP_TURNS; i++) await nextTurn()
    this.#published = undefined
  }
}

/** Makes a commit visible in two parts. New objects come last in a request, and so are there before they are referred to. */
export class TornCommit extends DelegatingStorage {
  override async commit(request: CommitRequest): Promise<CommitResult> {
    const half = Math.floor(request.writes.length / 2)
    // The caller may reuse the bytes once this method has returned its promise.
    const rest = request.writes.slice(0, half).map(({ oid, data }) => ({ oid, data: Uint8Array.from(data) }))
    const first = await this.inner.commit({ ...request, writes: request.writes.slice(half) })
    if (first.conflicts !== undefined || rest.length === 0) return first
    for (let i = 0; i < GAP_TURNS; i++) await nextTurn()
    return this.inner.commit({ base: this.inner.statistics().tid, reads: [], writes: rest })
  }
}

/** Acknowledges, now and then, a commit that it drops. */
export class LostCommit extends DelegatingStorage {
  readonly #random: Random

  constructor(inner: Storage, random: Random) {
    super(inner)
    this.#random = random
  }

  override commit(request: CommitRequest): Promise<CommitResult> {
    const drop = request.base >= SETUP_TRANSACTIONS && this.#random.below(20) === 0
    return this.inner.commit(drop ? { base: request.base, reads: request.reads, writes: [] } : request)
  }
}

/** Gives snapshots that show half of the objects as they were a while ago. */
export class MixedSnapshot extends DelegatingStorage {
  #older: Snapshot | undefined

  override snapshot(): Snapshot {
    const newest = this.inner.snapshot()
    const older = this.#older ?? newest
    if (newest.tid > older.tid + 3 || this.#older === undefined) this.#older = this.inner.snapshot()
    return new Mixture(newest, older)
  }
}

/** A snapshot that somebody else will release. */
class BorrowedSnapshot implements Snapshot {
  readonly tid: Tid
  protected readonly newest: Snapshot

  constructor(newest: Snapshot) {
    this.newest = newest
    this.tid = newest.tid
  }

  load(oid: Oid): StoredRecord | undefined {
    return this.newest.load(oid)
  }

  loadMany(oids: readonly Oid[]): Promise<(StoredRecord | undefined)[]> {
    return this.newest.loadMany(oids)
  }

  records(): AsyncIterable<StoredRecord> {
    return this.newest.records()
  }

  scan(): AsyncIterable<RecordBatch> {
    return this.newest.scan()
  }

  release(): void {}
}

class Mixture extends BorrowedSnapshot {
  readonly #older: Snapshot

  constructor(newest: Snapshot, older: Snapshot) {
    super(newest)
    this.#older = older
  }

  override load(oid: Oid): StoredRecord | undefined {
    return (oid % 2 === 0 ? this.#older.load(oid) : undefined) ?? this.newest.load(oid)
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Conflict, PerdureError } from '../core/errors.js'
import { MAX_ID, type Oid, ROOT_OID, type Tid } from '../core/oid.js'
import { recordClassName, recordReferences } from '../core/record.js'
import { ReferenceCheck } from '../core/reference-check.js'
import { restoredTime } from '../core/restored.js'
import type {
  Capability,
  CommitRequest,
  CommitResult,
  PackOptions,
  PackProgress,
  PackResult,
  RecordWrite,
  SharedStorage,
  Snapshot,
  Storage,
  StorageStatistics,
  TransactionInfo,
  VerifyReport,
} from '../core/storage.js'
import { ChangeLog } from './change-log.js'
import { checkCount, checkRequest } from './check-request.js'
import { MemorySnapshot } from './memory-snapshot.js'
import { VersionStore } from './version-store.js'

/** A Map of Node refuses to grow beyond 2^24 entries, removed ones included until it is rehashed. */
const MAX_OBJECTS = 2 ** 23

/** How many oids of past transactions are remembered for `changes`. */
const CHANGES_REMEMBERED = 262_144

export interface MemoryStorageOptions {
  /** Name of the serializer whose states the storage will hold. */
  readonly serializer?: string
}

interface PendingCommit {
  readonly base: Tid
  readonly reads: readonly Oid[]
  readonly writes: readonly RecordWrite[]
  readonly restored: boolean
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: unknown) => void
}

/**
 * A storage that lives and dies with the object: for tests, caches and trying things out. It keeps every rule that
 * the storages on disk keep; in particular a commit is neither answered nor visible before the next turn of the
 * event loop. What transactions say of themselves (note, user, token, time) is checked, and not kept.
 *
 * `pack` keeps what can be reached from the root in the newest state or in that of an open snapshot, so a
 * transaction under way never refers to an object that was packed away, as long as it holds its snapshot until it
 * has called `commit`.
 */
export class MemoryStorage implements Storage {
  readonly kind: string = 'memory'
  readonly location: string = 'memory'
  readonly serializer: string
  readonly capabilities: ReadonlySet<Capability> = new Set(['pack', 'restore'])
  readonly readonly: boolean = false

  readonly #store = new VersionStore()
  readonly #log = new ChangeLog(CHANGES_REMEMBERED)
  #pending: PendingCommit[] = []
  #tid: Tid = 0
  #nextOid: Oid = ROOT_OID + 1
  #loads = 0
  #commits = 0
  #conflicts = 0
  #closing: Promise<void> | undefined

  /** @throws PerdureError `PERDURE_ARGUMENT` if the serializer's name is not 1 to 31 characters out of `a-z 0-9 - . _` */
  constructor({ serializer = 'msgpack' }: MemoryStorageOptions = {}) {
    if (!/^[a-z0-9._-]{1,31}$/.test(serializer)) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `'${serializer}' cannot name a serializer: use 1 to 31 characters out of a-z 0-9 - . _`,
      )
    }
    this.serializer = serializer
  }

  snapshot(): Snapshot {
    this.#assertOpen()
    return new MemorySnapshot(this.#store, this.#store.acquire(this.#tid), (loads) => {
      this.#assertOpen()
      this.#loads += loads
    })
  }

  async snapshotAt(): Promise<Snapshot> {
    this.#assertOpen()
    throw noHistory()
  }

  // biome-ignore lint/correctness/useYield: there is nothing to give.
  async *transactions(): AsyncGenerator<TransactionInfo> {
    this.#assertOpen()
    throw noHistory()
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    this.#assertOpen()
    return this.#log.between(after, upTo)
  }

  allocateOids(count: number): Oid {
    this.#assertOpen()
    checkCount(count)
    if (count > MAX_ID - this.#nextOid) {
      throw new PerdureError('PERDURE_LIMIT', `Cannot allocate ${count} oids: fewer are left.`)
    }
    const first = this.#nextOid
    this.#nextOid += count
    return first
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    this.#assertOpen()
    checkRequest(request)
    const restored = restoredTime(request.restored) !== undefined
    const writes = request.writes.map(({ oid, data }) => ({ oid, data: new Uint8Array(data) }))
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.#runPending())
      this.#pending.push({ base: request.base, reads: [...request.reads], writes, restored, resolve, reject })
    })
  }

  #runPending(): void {
    const pending = this.#pending
    this.#pending = []
    for (const commit of pending) {
      try {
        commit.resolve(this.#run(commit))
      } catch (error) {
        commit.reject(error)
      }
    }
  }

  /** Everything that can fail comes before the first change. */
  #run({ base, reads, writes, restored }: PendingCommit): CommitResult {
    if (base > this.#tid) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `No snapshot can have tid ${base}: the newest transaction is ${this.#tid}.`,
      )
    }
    let conflicts = this.#findConflicts(base, reads, writes)
    if (conflicts.length === 0 && !restored) conflicts = this.#findRemoved(base, writes)
    if (conflicts.length > 0) {
      this.#conflicts++
      return { conflicts }
    }
    if (writes.length === 0) return { tid: base }
    if (this.#store.objects + writes.length > MAX_OBJECTS) {
      throw new PerdureError(
        'PERDURE_NO_SPACE',
        `A MemoryStorage holds at most ${MAX_OBJECTS} objects. Use a FileStorage.`,
      )
    }
    this.keep(writes)
    const tid = ++this.#tid
    this.#store.advance()
    for (const { oid, data } of writes) {
      this.#store.put(oid, tid, data)
      if (oid >= this.#nextOid) this.#nextOid = oid + 1
    }
    this.#log.append(writes.map((write) => write.oid))
    this.#commits++
    return { tid }
  }

  /**
   * For storages that extend this one and keep what is committed: called for each transaction that has been found
   * valid, in their order, before anybody can see it. If it throws, the transaction has not happened, and the commit
   * rejects with what it throws.
   */
  protected keep(_writes: readonly RecordWrite[]): void {}

  #findConflicts(base: Tid, reads: readonly Oid[], writes: readonly RecordWrite[]): Conflict[] {
    const changed = new Set<Oid>()
    for (const oid of reads) if (this.#store.lastChange(oid) > base) changed.add(oid)
    for (const { oid } of writes) if (this.#store.lastChange(oid) > base) changed.add(oid)
    return Array.from(changed, (oid) => ({ oid, className: this.#className(oid), tid: this.#store.lastChange(oid) }))
  }

  /** The objects that the writes refer to and that have been removed after `base`. */
  #findRemoved(base: Tid, writes: readonly RecordWrite[]): Conflict[] {
    const written = new Set(writes.map(({ oid }) => oid))
    const references = new ReferenceCheck((oid) => written.has(oid) || this.#store.newest(oid) !== undefined)
    for (const { oid, data } of writes) references.add(oid, data)
    const removed = references.removedSince(() => this.#log.between(base, this.#tid))
    return removed.map((oid) => ({ oid, className: '', tid: this.#log.lastChange(oid) ?? this.#tid }))
  }

  #className(oid: Oid): string {
    const data = this.#store.newest(oid)
    if (data === undefined) return ''
    try {
      return recordClassName(data)
    } catch {
      return '' // A conflict is worth reporting even if the record in the way makes no sense.
    }
  }

  /**
   * Removes what cannot be reached, at once: there is nothing to be seen of it before it is done.
   *
   * @throws PerdureError `PERDURE_UNSUPPORTED` for the options `retain` and `keepOld`; the reason of `options.signal`
   */
  async pack(options: PackOptions = {}): Promise<PackResult> {
    this.#assertOpen()
    if (options.retain !== undefined || options.keepOld === true) throw noHistory()
    options.signal?.throwIfAborted()
    this.#runPending()
    const objectsBefore = this.#store.objects
    const bytesBefore = this.#store.bytes
    const reachable = this.#findReachable()
    const report = (phase: PackProgress['phase'], objects: number, bytes: number) =>
      options.onProgress?.({ phase, objects, objectsTotal: objects, bytes, bytesTotal: bytes, remainingMs: 0 })
    report('mark', objectsBefore, bytesBefore)
    options.signal?.throwIfAborted()
    const removed = [...this.#store.oids()].filter(
      (oid) => !reachable.has(oid) && this.#store.newest(oid) !== undefined,
    )
    if (removed.length > 0) this.#remove(removed)
    const result = {
      objectsBefore,
      objectsAfter: this.#store.objects,
      bytesBefore,
      bytesAfter: this.#store.bytes,
      historyFrom: this.#tid,
    }
    try {
      report('switch', result.objectsAfter, result.bytesAfter)
    } catch {
      // To reject for what the user's function throws now would mean that nothing had been packed.
    }
    await nextTurn()
    return result
  }

  /** In a transaction of its own, so that whoever has cached one of the objects learns of it. */
  #remove(oids: readonly Oid[]): void {
    this.#tid++
    this.#store.advance()
    for (const oid of oids) this.#store.remove(oid)
    this.#log.append(oids)
  }

  /**
   * Follows the references of every version that is kept, which covers each open snapshot in a single pass. The
   * price is that a mixture of versions may hold on to an object that no snapshot reaches; the next pack gets it.
   */
  #findReachable(): Set<Oid> {
    const reachable = new Set<Oid>([ROOT_OID])
    const stack = [ROOT_OID]
    for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
      for (const data of this.#store.versions(oid)) {
        for (const target of recordReferences(data)) {
          if (reachable.has(target)) continue
          reachable.add(target)
          stack.push(target)
        }
      }
    }
    return reachable
  }

  /** @throws PerdureError `PERDURE_UNSUPPORTED` always: nothing can be damaged that never left memory */
  async verify(): Promise<VerifyReport> {
    this.#assertOpen()
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      'A MemoryStorage has nothing to verify: its records never leave memory.',
    )
  }

  share(): SharedStorage {
    this.#assertOpen()
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      'A MemoryStorage belongs to one thread. Use a FileStorage without a path to share a temporary database.',
    )
  }

  statistics(): StorageStatistics {
    this.#assertOpen()
    return {
      loads: this.#loads,
      commits: this.#commits,
      conflicts: this.#conflicts,
      bytes: this.#store.bytes,
      tid: this.#tid,
      objects: this.#store.objects,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    // The turn of the pending commits was scheduled before this one, so their promises settle first.
    await nextTurn()
    this.#store.clear()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new PerdureError('PERDURE_CLOSED', 'This MemoryStorage has been closed, and its data is gone.')
    }
  }
}

function noHistory(): PerdureError {
  return new PerdureError('PERDURE_UNSUPPORTED', 'A MemoryStorage keeps no history. Use a FileStorage.')
}

import type { Oid, Tid } from '../../src/core/oid.js'
import type {
  Capability,
  CommitRequest,
  CommitResult,
  PackOptions,
  PackResult,
  PointInTime,
  SharedStorage,
  Snapshot,
  Storage,
  StorageStatistics,
  TransactionInfo,
  TransactionRange,
  VerifyOptions,
  VerifyReport,
} from '../../src/core/storage.js'

/** A storage that hands everything on to another one: what a planted bug overrides a method of. */
export class DelegatingStorage implements Storage {
  protected readonly inner: Storage

  constructor(inner: Storage) {
    this.inner = inner
  }

  get kind(): string {
    return this.inner.kind
  }

  get location(): string {
    return this.inner.location
  }

  get serializer(): string {
    return this.inner.serializer
  }

  get capabilities(): ReadonlySet<Capability> {
    return this.inner.capabilities
  }

  get readonly(): boolean {
    return this.inner.readonly
  }

  snapshot(): Snapshot {
    return this.inner.snapshot()
  }

  snapshotAt(at: PointInTime): Promise<Snapshot> {
    return this.inner.snapshotAt(at)
  }

  transactions(range?: TransactionRange): AsyncIterable<TransactionInfo> {
    return this.inner.transactions(range)
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    return this.inner.changes(after, upTo)
  }

  allocateOids(count: number): Oid {
    return this.inner.allocateOids(count)
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.inner.commit(request)
  }

  pack(options?: PackOptions): Promise<PackResult> {
    return this.inner.pack(options)
  }

  verify(options?: VerifyOptions): Promise<VerifyReport> {
    return this.inner.verify(options)
  }

  share(): SharedStorage {
    return this.inner.share()
  }

  statistics(): StorageStatistics {
    return this.inner.statistics()
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}

import type { MessagePort } from 'node:worker_threads'
import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type {
  Capability,
  CommitRequest,
  CommitResult,
  PackResult,
  PointInTime,
  Snapshot,
  Storage,
  StorageStatistics,
  TransactionInfo,
  TransactionRange,
  VerifyOptions,
  VerifyReport,
} from '../core/storage.js'
import { FORMAT_VERSION } from '../journal/format.js'
import type { RecoveryReport } from '../journal/recovery.js'
import type { CoordinatorStarter } from '../workers/coordinator-thread.js'
import { WorkerPool } from '../workers/pool.js'
import { checkCount, checkRequest } from './check-request.js'
import { AttachedBackend, type FileBackend, type FileHandle, OwnerBackend, ReadonlyBackend } from './file-backend.js'
import { FileHistory } from './file-history.js'
import { checkFileOptions, type FileStorageOptions } from './file-options.js'
import { FilePacker } from './file-packer.js'
import { FileSnapshot, type HandleState } from './file-snapshot.js'
import { requireJournal } from './identify.js'
import type { FilePackOptions } from './pack-options.js'

export { type FileHandle, isFileHandle } from './file-backend.js'
export type { FileStorageOptions } from './file-options.js'
export type { FilePackOptions } from './pack-options.js'

/**
 * A storage in one file: a journal of transactions, with the index to it in shared memory. See docs/file-format.md.
 *
 * Commits are written by a thread of its own; loads read the file in the calling thread.
 */
export class FileStorage implements Storage {
  readonly kind = 'file'
  readonly location: string
  readonly serializer: string
  readonly capabilities: ReadonlySet<Capability>
  readonly readonly: boolean
  /** Which database it is, in hexadecimal digits. A pack does not change it; copies of the file have it too. */
  readonly databaseId: string
  /** What was done to open the file. */
  readonly recovery: RecoveryReport

  readonly #backend: FileBackend
  readonly #pool = new WorkerPool()
  readonly #handle: HandleState = { closed: false, loads: 0, pool: this.#pool }
  readonly #packer: FilePacker
  #closing: Promise<void> | undefined

  private constructor(backend: FileBackend) {
    this.#backend = backend
    this.location = backend.path
    this.serializer = backend.serializer
    this.databaseId = Buffer.from(backend.view.header.databaseId).toString('hex')
    this.recovery = backend.recovery
    this.readonly = backend instanceof ReadonlyBackend
    this.capabilities = capabilitiesOf(backend)
    this.#packer = new FilePacker(backend, this.#pool)
  }

  /**
   * Opens a database, or creates it.
   *
   * @param path undefined for a temporary database that is removed when it is closed
   * @param startWorker for tests only: starts the coordinator's thread
   * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_NOT_FOUND`, `PERDURE_LOCKED`, `PERDURE_NOT_A_DATABASE`,
   *   `PERDURE_UNSUPPORTED` if it is a database of another kind, `PERDURE_FORMAT_VERSION`, `PERDURE_SERIALIZER`,
   *   `PERDURE_CORRUPTION`, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`, `PERDURE_THREAD`
   */
  static async open(
    path?: string,
    options: FileStorageOptions = {},
    startWorker?: CoordinatorStarter,
  ): Promise<FileStorage> {
    const settings = checkFileOptions(options)
    if (path !== undefined) await requireJournal(path, 'FileStorage')
    if (!settings.readonly) return new FileStorage(await OwnerBackend.open(path, settings, startWorker))
    if (path === undefined) {
      throw new PerdureError('PERDURE_ARGUMENT', 'A temporary database cannot be readonly. Give a path.')
    }
    return new FileStorage(new ReadonlyBackend(path, settings))
  }

  /** Opens, in another thread of the process, a storage that was {@link share}d. */
  static attach(handle: FileHandle): FileStorage {
    const readonly = handle.kind === 'readonly'
    return new FileStorage(readonly ? new ReadonlyBackend(handle.path, handle.settings) : new AttachedBackend(handle))
  }

  /** A handle for one other thread, to be sent to it with the transfer list. */
  share(): { handle: FileHandle; transferList: MessagePort[] } {
    this.#assertOpen()
    const handle = this.#backend.share()
    return { handle, transferList: handle.kind === 'writable' ? [handle.link.port] : [] }
  }

  snapshot(): Snapshot {
    this.#assertOpen()
    this.#backend.refresh()
    const { view } = this.#backend
    return new FileSnapshot(view, view.state.get('tid'), this.#handle)
  }

  async snapshotAt(at: PointInTime): Promise<Snapshot> {
    return this.#history(this.#newest()).snapshotAt(at)
  }

  transactions(range: TransactionRange = {}): AsyncIterable<TransactionInfo> {
    return this.#transactions(range, this.#newest())
  }

  async *#transactions(range: TransactionRange, newest: Tid): AsyncGenerator<TransactionInfo> {
    yield* this.#history(newest).transactions(range)
  }

  #newest(): Tid {
    this.#assertOpen()
    this.#backend.refresh()
    return this.#backend.view.state.get('tid')
  }

  #history(newest: Tid): FileHistory {
    this.#assertOpen()
    return new FileHistory(this.location, this.#backend.view, this.#handle, newest)
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    this.#assertOpen()
    return this.#backend.view.changes.between(after, upTo)
  }

  allocateOids(count: number): Oid {
    this.#assertOpen()
    checkCount(count)
    if (this.readonly) throw new PerdureError('PERDURE_READONLY', `${this.location} was opened readonly.`)
    const { state, index } = this.#backend.view
    if (state.get('nextOid') + count > index.capacity) {
      throw new PerdureError(
        'PERDURE_LIMIT',
        `Cannot allocate ${count} oids: the storage has room for ${index.capacity}.`,
      )
    }
    return state.add('nextOid', count)
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    this.#assertOpen()
    checkRequest(request)
    return this.#backend.commit(request)
  }

  /**
   * Packs the file, with the threads of a pool. Only the handle that opened it for writing can.
   *
   * @throws PerdureError as said at {@link Storage.pack}, and `PERDURE_ARGUMENT`; `PERDURE_LIMIT` if the file has too
   *   few transactions to hold its objects, or there is too little memory; CorruptionError if something that would have
   *   to be kept is damaged
   */
  async pack(options: FilePackOptions = {}): Promise<PackResult> {
    this.#assertOpen()
    return this.#packer.pack(options)
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertOpen()
    options.signal?.throwIfAborted()
    // Loaded only when it is needed.
    const { verifyJournal } = await import('../workers/verify.js')
    const snapshot = this.snapshot()
    const { view } = this.#backend
    try {
      return await verifyJournal(
        this.#pool,
        {
          shared: view.borrowed,
          tid: snapshot.tid,
          nextOid: view.state.get('nextOid'),
          objects: view.state.get('objects'),
          end: view.state.get('end'),
        },
        options,
      )
    } finally {
      snapshot.release()
    }
  }

  statistics(): StorageStatistics {
    this.#assertOpen()
    this.#backend.refresh()
    const { state } = this.#backend.view
    return {
      formatVersion: FORMAT_VERSION,
      loads: this.#handle.loads,
      commits: state.get('commits'),
      conflicts: state.get('conflicts'),
      bytes: state.get('end'),
      tid: state.get('tid'),
      objects: state.get('objects'),
      nextOid: state.get('nextOid'),
      batches: state.get('batches'),
      syncs: state.get('syncs'),
      largestBatch: state.get('largestBatch'),
      checkpoints: state.get('checkpoints'),
      indexRebuilds: state.get('indexRebuilds'),
      indexCheckpoint: this.recovery.checkpoint,
      ...this.#packer.statistics(),
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
    try {
      await this.#packer.cancel()
      await this.#pool.close()
      await this.#backend.close()
    } finally {
      this.#handle.closed = true
    }
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    throw new PerdureError('PERDURE_CLOSED', `${this.location} has been closed.`, { details: { path: this.location } })
  }
}

function capabilitiesOf(backend: FileBackend): ReadonlySet<Capability> {
  const capabilities = new Set<Capability>(['durable', 'history', 'readers', 'verify'])
  if (!backend.temporary) capabilities.add('persistent')
  if (!(backend instanceof AttachedBackend)) capabilities.add('threads')
  if (!(backend instanceof ReadonlyBackend)) capabilities.add('restore')
  if (backend instanceof OwnerBackend) capabilities.add('pack')
  return capabilities
}

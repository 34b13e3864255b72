import { PerdureError } from '../core/errors.js'
import type { CommitRequest, CommitResult } from '../core/storage.js'
import { acquireFileLock, type FileLock } from '../journal/file-lock.js'
import { JournalFollower } from '../journal/follower.js'
import { createJournal } from '../journal/journal.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import type { SwitchOutcome, SwitchRequest } from '../journal/packed-base.js'
import type { RecoveryReport } from '../journal/recovery.js'
import type { JournalView, SharedJournal } from '../journal/shared-journal.js'
import { type ClientLink, CoordinatorClient } from '../workers/coordinator-client.js'
import { type CoordinatorStarter, CoordinatorThread } from '../workers/coordinator-thread.js'
import { CurrentJournal } from '../workers/current-journal.js'
import { canonicalPath } from './canonical-path.js'
import { checkSerializer, missing } from './existing.js'
import type { FileStorageSettings } from './file-options.js'
import { Place } from './place.js'

/** What another thread needs to open the storage too. It passes through `workerData` and `postMessage`. */
export type FileHandle =
  | {
      readonly kind: 'writable'
      readonly settings: FileStorageSettings
      readonly shared: SharedJournal
      readonly recovery: RecoveryReport
      /** Its port must be in the transfer list. */
      readonly link: ClientLink
    }
  | { readonly kind: 'readonly'; readonly settings: FileStorageSettings; readonly path: string }

/** Whether a value is what `FileStorage.share` has made, after it came through a message. */
export function isFileHandle(value: unknown): value is FileHandle {
  const handle = value as Partial<FileHandle> | null
  if (typeof handle !== 'object' || handle === null) return false
  return (handle.kind === 'writable' && 'link' in handle) || (handle.kind === 'readonly' && 'path' in handle)
}

/** What differs between the ways to have a file storage open. */
export interface FileBackend {
  readonly path: string
  readonly serializer: string
  readonly recovery: RecoveryReport
  readonly temporary: boolean
  /** A pack puts another one in its place; who needs this one for longer retains it. */
  readonly view: JournalView
  /** Sees to it that the view and its state are the newest. */
  refresh(): void
  commit(request: CommitRequest): Promise<CommitResult>
  share(): FileHandle
  /** Waits for the commits under way, then lets go of everything. Snapshots keep the file open until they are released. */
  close(): Promise<void>
}

/** The handle that has opened the file for writing: it has the lock and the coordinator's thread. */
export class OwnerBackend implements FileBackend {
  readonly path: string
  readonly serializer: string
  readonly recovery: RecoveryReport
  readonly temporary: boolean
  readonly #journal: CurrentJournal
  readonly #settings: FileStorageSettings
  readonly #thread: CoordinatorThread
  readonly #place: Place
  readonly #lock: FileLock

  private constructor(place: Place, lock: FileLock, settings: FileStorageSettings, thread: CoordinatorThread) {
    this.path = place.path
    this.temporary = place.temporary
    this.serializer = thread.shared.header.serializer
    this.recovery = thread.recovery
    this.#journal = new CurrentJournal(nodeFileSystem, thread.client, thread.shared, settings.blockCacheBytes)
    this.#settings = settings
    this.#thread = thread
    this.#place = place
    this.#lock = lock
  }

  static async open(
    path: string | undefined,
    settings: FileStorageSettings,
    startWorker: CoordinatorStarter | undefined,
  ): Promise<OwnerBackend> {
    const place = await Place.choose(path, 'temporary.perdure')
    try {
      return await OwnerBackend.#openAt(place, settings, startWorker)
    } catch (error) {
      await place.leave()
      throw error
    }
  }

  static async #openAt(
    place: Place,
    settings: FileStorageSettings,
    startWorker: CoordinatorStarter | undefined,
  ): Promise<OwnerBackend> {
    const { path } = place
    const { serializer, durability, loadIndex, checkpointBytes } = settings
    const exists = nodeFileSystem.exists(path)
    if (!exists && !settings.createIfMissing) throw missing(path)
    const lock = await acquireFileLock(path)
    let thread: CoordinatorThread | undefined
    try {
      // Looked at once more under the lock, because another process may have created it meanwhile.
      if (!nodeFileSystem.exists(path)) createJournal(nodeFileSystem, path, serializer ?? 'msgpack')
      thread = await CoordinatorThread.start({ path, durability, loadIndex, checkpointBytes }, startWorker)
      checkSerializer(path, thread.shared.header.serializer, serializer)
      return new OwnerBackend(place, lock, settings, thread)
    } catch (error) {
      await thread?.close()
      await lock.release()
      throw error
    }
  }

  get view(): JournalView {
    return this.#journal.view
  }

  refresh(): void {
    this.#journal.refresh()
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#thread.client.commit(request)
  }

  /** See `CoordinatorLoop.switchTo`. */
  switchTo(request: SwitchRequest): Promise<SwitchOutcome> {
    return this.#thread.client.switchTo(request)
  }

  share(): FileHandle {
    // In this order, so that the new handle is told of every journal that is newer than the one it is given.
    const link = this.#thread.connect()
    this.#journal.refresh()
    return {
      kind: 'writable',
      settings: this.#settings,
      shared: this.#journal.shared,
      recovery: this.recovery,
      link,
    }
  }

  async close(): Promise<void> {
    try {
      await this.#thread.close()
    } finally {
      this.#journal.release()
      await this.#lock.release()
      await this.#place.leave()
    }
  }
}

/** A handle in a thread that shares a storage opened by another one. */
export class AttachedBackend implements FileBackend {
  readonly path: string
  readonly serializer: string
  readonly recovery: RecoveryReport
  readonly temporary = false
  readonly #journal: CurrentJournal
  readonly #client: CoordinatorClient

  constructor({ shared, recovery, link, settings }: Extract<FileHandle, { kind: 'writable' }>) {
    this.path = shared.path
    this.serializer = shared.header.serializer
    this.recovery = recovery
    this.#client = new CoordinatorClient(link, shared.path)
    try {
      this.#journal = new CurrentJournal(nodeFileSystem, this.#client, shared, settings.blockCacheBytes)
    } catch (error) {
      this.#client.disconnect()
      throw error
    }
  }

  get view(): JournalView {
    return this.#journal.view
  }

  refresh(): void {
    this.#journal.refresh()
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#client.commit(request)
  }

  share(): FileHandle {
    throw new PerdureError('PERDURE_UNSUPPORTED', 'Only the handle that opened the file can share it with threads.')
  }

  async close(): Promise<void> {
    await this.#client.idle()
    this.#client.disconnect()
    this.#journal.release()
  }
}

/** A readonly handle. Each thread follows the file by itself. */
export class ReadonlyBackend implements FileBackend {
  readonly path: string
  readonly serializer: string
  readonly recovery: RecoveryReport
  readonly temporary = false
  readonly #settings: FileStorageSettings
  readonly #follower: JournalFollower

  constructor(location: string, settings: FileStorageSettings) {
    const path = canonicalPath(location)
    this.path = path
    this.#settings = settings
    this.#follower = new JournalFollower(nodeFileSystem, path, settings.loadIndex, settings.blockCacheBytes)
    this.serializer = this.#follower.header.serializer
    this.recovery = this.#follower.recovery
    try {
      checkSerializer(path, this.serializer, settings.serializer)
    } catch (error) {
      this.#follower.close()
      throw error
    }
  }

  get view(): JournalView {
    return this.#follower.view
  }

  refresh(): void {
    this.#follower.refresh()
  }

  async commit(): Promise<CommitResult> {
    throw new PerdureError('PERDURE_READONLY', `${this.path} was opened readonly. Open it without { readonly: true }.`)
  }

  share(): FileHandle {
    return { kind: 'readonly', settings: this.#settings, path: this.path }
  }

  async close(): Promise<void> {
    this.#follower.close()
  }
}

import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { PerdureError } from '../core/errors.js'
import type { Storage } from '../core/storage.js'
import { acquireFileLock, assertNotLocked, type FileLock } from '../journal/file-lock.js'
import { type FileSystem, fileError, nodeFileSystem } from '../journal/journal-file.js'
import { canonicalPath } from '../storages/canonical-path.js'
import type { StorageKind } from '../storages/registry.js'

/** What stands behind the name of a database while it is being made. */
const DRAFT_SUFFIX = '.converting'

/** The destination's own lock, which is held all the while, and the draft's, which nobody holds any more at the end. */
const LOCK_SUFFIX = '.lock'

const PRIVATE_FOLDER = 0o700
const OWNER_MAY = 0o600

export interface DraftOptions {
  /** Name of the serializer of the new database. */
  readonly serializer: string
  /**
   * Permission bits of what it is made of: nobody but the owner may do more with the new file than these allow.
   * Default: what new files are given.
   */
  readonly mode?: number | undefined
  /** For tests only. */
  readonly fileSystem?: FileSystem
}

/**
 * A new database that is being made beside the place it is meant for, in a folder `PATH.converting` that only its owner
 * can look into. It is moved to its place when it is whole and on the disk, and never over anything that is there.
 *
 * The lock of the destination is held all the while, so there is one draft for a destination, and a folder that is
 * found there under the lock is what a killed process has left: it is removed.
 *
 * @example
 * await using draft = await Draft.create('copy.perdure', findStorageKind('file'), { serializer: 'cbor' })
 * const writer = new BulkWriter(draft.storage)
 * // ...
 * await writer.flush()
 * await draft.finish()
 */
export class Draft {
  /** Where the database is to be. */
  readonly path: string
  readonly #kind: StorageKind
  readonly #fileSystem: FileSystem
  readonly #mode: number | undefined
  readonly #lock: FileLock
  #storage: Storage | undefined
  #hasFolder = false
  #left = false

  private constructor(path: string, lock: FileLock, kind: StorageKind, { mode, fileSystem }: DraftOptions) {
    this.path = path
    this.#kind = kind
    this.#mode = mode
    this.#fileSystem = fileSystem ?? nodeFileSystem
    this.#lock = lock
  }

  /**
   * @param path where the database is to be; there must be nothing
   * @throws PerdureError `PERDURE_ARGUMENT` if there is something; `PERDURE_LOCKED` if another process makes a database
   *   there; `PERDURE_UNSUPPORTED` if the kind of storage cannot take copies; `PERDURE_NOT_FOUND` if there is no such
   *   folder, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`, and what opening the storage throws
   */
  static async create(path: string, kind: StorageKind, options: DraftOptions): Promise<Draft> {
    const destination = canonicalPath(path)
    const draft = new Draft(destination, acquireFileLock(destination), kind, options)
    try {
      draft.#makeFolder()
      await draft.#open(options.serializer)
      return draft
    } catch (error) {
      await draft.discard()
      throw error
    }
  }

  /** To be written to until {@link reopen} or {@link finish} is called. The draft closes it. */
  get storage(): Storage {
    if (this.#storage !== undefined) return this.#storage
    throw new PerdureError('PERDURE_CLOSED', `The draft of ${this.path} has been closed.`, {
      details: { path: this.path },
    })
  }

  get #folder(): string {
    return `${this.path}${DRAFT_SUFFIX}`
  }

  get #file(): string {
    return join(this.#folder, basename(this.path))
  }

  #makeFolder(): void {
    attempt(this.#folder, () => {
      const found = lstatSync(this.#folder, { throwIfNoEntry: false })
      if (found !== undefined) this.#removeLeftover(found.isDirectory())
    })
    this.#assertFree()
    attempt(this.#folder, () => mkdirSync(this.#folder, { mode: PRIVATE_FOLDER }))
    this.#hasFolder = true
  }

  /** What is not surely a draft stays: it may be somebody's. */
  #removeLeftover(isFolder: boolean): void {
    const name = basename(this.path)
    if (!isFolder || readdirSync(this.#folder).some((entry) => !entry.startsWith(name))) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `${this.#folder} stands in the way: a database is made under that name before it is moved to its place. Move it away.`,
        { details: { path: this.#folder } },
      )
    }
    assertNotLocked(this.#file)
    rmSync(this.#folder, { recursive: true })
  }

  async #open(serializer: string): Promise<void> {
    const kind = this.#kind
    // Nothing is acknowledged before the end, where all is synced at once.
    const durability = kind.options.includes('durability') ? { durability: 'os' } : {}
    this.#storage = await kind.open(this.#file, { serializer, ...durability })
    const { capabilities } = this.#storage
    if (capabilities.has('restore') && capabilities.has('persistent')) return
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      `A storage of the kind ${kind.name} cannot ${capabilities.has('restore') ? 'be made at a path' : 'take copies of other databases'}.`,
      { details: { path: this.path, kind: kind.name } },
    )
  }

  /**
   * Closes the storage and opens it again, readonly, as whoever uses the database will find it.
   *
   * @throws PerdureError what closing and opening throw
   */
  async reopen(): Promise<Storage> {
    await this.#close()
    this.#storage = await this.#kind.open(this.#file, { readonly: true, createIfMissing: false })
    return this.#storage
  }

  /**
   * Closes the storage and moves the file to its place, after which it would survive a power cut.
   *
   * @throws PerdureError `PERDURE_ARGUMENT` if something has appeared there meanwhile, which stays what it is;
   *   `PERDURE_NO_SPACE`, `PERDURE_PERMISSION`, `PERDURE_IO`, and what closing the storage throws
   */
  async finish(): Promise<void> {
    await this.#close()
    this.#narrow(this.#file)
    const file = this.#fileSystem.open(this.#file, 'write')
    try {
      file.sync()
    } finally {
      file.close()
    }
    this.#assertFree()
    const sidecars = (this.#kind.sidecars ?? []).filter((suffix) => suffix !== LOCK_SUFFIX)
    // What a database has left that was here before would be taken for ours.
    for (const suffix of sidecars) this.#fileSystem.unlink(`${this.path}${suffix}`)
    this.#moveFile()
    for (const suffix of sidecars) this.#moveSidecar(suffix)
    this.#fileSystem.syncDirectory(this.path)
    this.#leave()
  }

  /** By a link, which fails if the name is taken; a rename would replace what is there. */
  #moveFile(): void {
    try {
      this.#fileSystem.link(this.#file, this.path)
    } catch (error) {
      this.#assertFree()
      if (!isUnsupported(error)) throw error
      this.#fileSystem.rename(this.#file, this.path)
    }
  }

  #moveSidecar(suffix: string): void {
    const from = `${this.#file}${suffix}`
    if (!this.#fileSystem.exists(from)) return
    this.#narrow(from)
    this.#fileSystem.rename(from, `${this.path}${suffix}`)
  }

  #narrow(file: string): void {
    const mode = this.#mode
    if (mode === undefined) return
    attempt(file, () => chmodSync(file, statSync(file).mode & (mode | OWNER_MAY) & 0o777))
  }

  /** Removes what has been made, unless it has been finished. May be called more than once. */
  async discard(): Promise<void> {
    try {
      await this.#close()
    } catch {
      // What is removed need not be whole.
    }
    this.#leave()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  async #close(): Promise<void> {
    const storage = this.#storage
    this.#storage = undefined
    await storage?.close()
  }

  #leave(): void {
    if (this.#left) return
    this.#left = true
    try {
      if (this.#hasFolder) attempt(this.#folder, () => rmSync(this.#folder, { recursive: true, force: true }))
    } finally {
      this.#lock.release()
    }
  }

  #assertFree(): void {
    const { path } = this
    // Not followed: a link that leads nowhere takes the name as well.
    if (attempt(path, () => lstatSync(path, { throwIfNoEntry: false })) === undefined) return
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `${path} is there already; a new database is made, and replaces nothing.`,
      {
        details: { path },
      },
    )
  }
}

/** File systems that have no links say so in these ways. */
function isUnsupported(error: unknown): boolean {
  const system = (error as Partial<PerdureError>).details?.['system']
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(String(system))
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw error instanceof PerdureError ? error : fileError(error, path, 'make a database at')
  }
}

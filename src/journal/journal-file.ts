import * as nodeFs from 'node:fs'
import { dirname } from 'node:path'
import { type ErrorCode, PerdureError, systemCode } from '../core/errors.js'
import { imitate, type Likeness, OWNER_ONLY } from './imitate.js'

/** `read`: an existing file, never written. `write`: an existing file. `create`: a new file, an error if it exists. */
export type OpenMode = 'read' | 'write' | 'create'

/**
 * One open file. Everything the journal does to a file goes through these few methods, so that a simulated disk
 * can drop, tear and reorder what was not synced. All are synchronous and positional.
 */
export interface OpenFile {
  readonly path: string

  /** Under this number all threads of the process can read the file as long as it is open; see {@link borrowFile}. */
  readonly descriptor?: number

  /** Fills `length` bytes of `buffer` from `offset` on. Returns how many it read: fewer only at the end of the file. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number

  /** Writes all bytes of all buffers, one after another. */
  write(buffers: readonly Uint8Array[], position: number): void

  /** Returns when everything written so far, and the size, would survive a power cut. */
  sync(): void

  /** Makes the file `size` bytes long. Bytes that are added are zero and need not take space. */
  truncate(size: number): void

  size(): number
  close(): void

  /**
   * Closes the file in another thread, which nobody waits for. To close a file that has no name any more frees it, and
   * of a large one that takes the system long. Nobody is told if it fails, so it is for files that were only read, or
   * are of no use any more.
   */
  closeLater(): void
}

/**
 * The file system as the journal sees it.
 *
 * @throws PerdureError `PERDURE_NO_SPACE`, `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND` or `PERDURE_IO`, always with
 *   `details.path` and `details.system` (the system's own code)
 */
export interface FileSystem {
  /** @param like for a new file: another one, whose owner and permissions it is given as far as that is possible */
  open(path: string, mode: OpenMode, like?: string): OpenFile
  exists(path: string): boolean
  rename(from: string, to: string): void
  /** Gives a file a second name, which must be free. */
  link(from: string, to: string): void
  /** Removes a file. That it is not there is no error. */
  unlink(path: string): void
  /** Makes the names of the files in the directory of `path` survive a power cut. */
  syncDirectory(path: string): void
}

const FLAGS: Record<OpenMode, string> = { read: 'r', write: 'r+', create: 'wx+' }

const CODES = new Map<string, { code: ErrorCode; advice: string }>([
  ['ENOSPC', { code: 'PERDURE_NO_SPACE', advice: 'Free some space on the disk, then open the database again.' }],
  ['EDQUOT', { code: 'PERDURE_NO_SPACE', advice: 'Raise the disk quota, then open the database again.' }],
  ['EFBIG', { code: 'PERDURE_NO_SPACE', advice: 'The file would exceed the largest size allowed for a file.' }],
  ['EACCES', { code: 'PERDURE_PERMISSION', advice: 'Check the permissions of the file and of its directory.' }],
  ['EPERM', { code: 'PERDURE_PERMISSION', advice: 'Check the permissions of the file and of its directory.' }],
  ['EROFS', { code: 'PERDURE_PERMISSION', advice: 'The file system is readonly: open with { readonly: true }.' }],
  ['ENOENT', { code: 'PERDURE_NOT_FOUND', advice: 'Check the path.' }],
])

/** The one place where a system's error becomes a PerdureError. */
export function fileError(error: unknown, path: string, action: string): PerdureError {
  const system = systemCode(error) ?? 'unknown'
  const { code, advice } = CODES.get(system) ?? { code: 'PERDURE_IO' as const, advice: 'The disk may be failing.' }
  return new PerdureError(code, `Cannot ${action} ${path} (${system}). ${advice}`, {
    details: { path, system },
    cause: error,
  })
}

/** Interrupted calls are repeated this often before they count as failed, so that nothing hangs. */
const MAX_RETRIES = 100

function attempt<T>(path: string, action: string, call: () => T): T {
  for (let retries = 0; ; retries++) {
    try {
      return call()
    } catch (error) {
      const system = systemCode(error)
      if ((system === 'EINTR' || system === 'EAGAIN') && retries < MAX_RETRIES) continue
      throw fileError(error, path, action)
    }
  }
}

/** What of node:fs is used here, so that tests can put a system in its place that interrupts and does half of it. */
export type FileBinding = Pick<
  typeof nodeFs,
  | 'closeSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'fdatasyncSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'linkSync'
  | 'openSync'
  | 'readSync'
  | 'renameSync'
  | 'statSync'
  | 'unlinkSync'
  | 'writeSync'
  | 'writevSync'
> & { close(fd: number, done: (error: Error | null) => void): void }

class NodeFile implements OpenFile {
  readonly path: string
  readonly #fs: FileBinding
  readonly #fd: number
  #open = true

  get descriptor(): number {
    return this.#fd
  }

  constructor(fs: FileBinding, path: string, fd: number) {
    this.#fs = fs
    this.path = path
    this.#fd = fd
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    let done = 0
    while (done < length) {
      const count = this.#readOnce(buffer, offset + done, length - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  #readOnce(buffer: Uint8Array, offset: number, length: number, position: number): number {
    // The first try stands outside of `attempt`: a closure for each load would be felt.
    try {
      return this.#fs.readSync(this.#fd, buffer, offset, length, position)
    } catch {
      return attempt(this.path, 'read', () => this.#fs.readSync(this.#fd, buffer, offset, length, position))
    }
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    let rest = buffers.filter((buffer) => buffer.length > 0)
    let at = position
    while (rest.length > 0) {
      const written = attempt(this.path, 'write', () => this.#writeOnce(rest, at))
      if (written === 0) throw fileError(new Error('nothing was written'), this.path, 'write')
      at += written
      rest = after(rest, written)
    }
  }

  #writeOnce(buffers: readonly Uint8Array[], position: number): number {
    const [first] = buffers
    return buffers.length === 1 && first !== undefined
      ? this.#fs.writeSync(this.#fd, first, 0, first.length, position)
      : this.#fs.writevSync(this.#fd, buffers as Uint8Array[], position)
  }

  sync(): void {
    // Not through `attempt`: after a failed sync the pages count as clean, so a second one would succeed for nothing.
    try {
      this.#fs.fdatasyncSync(this.#fd)
    } catch (error) {
      throw fileError(error, this.path, 'sync')
    }
  }

  truncate(size: number): void {
    attempt(this.path, 'set the size of', () => this.#fs.ftruncateSync(this.#fd, size))
  }

  size(): number {
    return attempt(this.path, 'examine', () => this.#fs.fstatSync(this.#fd)).size
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    try {
      this.#fs.closeSync(this.#fd)
    } catch (error) {
      throw fileError(error, this.path, 'close')
    }
  }

  closeLater(): void {
    if (!this.#open) return
    this.#open = false
    this.#fs.close(this.#fd, () => {})
  }
}

/** Closing it closes nothing. */
class BorrowedFile extends NodeFile {
  override close(): void {}
  override closeLater(): void {}
}

/** What is left of `buffers` when the first `count` bytes have been written. */
function after(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  for (const buffer of buffers) {
    if (count >= buffer.length) {
      count -= buffer.length
    } else {
      rest.push(buffer.subarray(count))
      count = 0
    }
  }
  return rest
}

class NodeFileSystem implements FileSystem {
  readonly #fs: FileBinding

  constructor(fs: FileBinding) {
    this.#fs = fs
  }

  open(path: string, mode: OpenMode, like?: string): OpenFile {
    const model = like === undefined ? undefined : this.#examine(like)
    const permissions = model === undefined ? undefined : OWNER_ONLY
    const action = mode === 'create' ? 'create' : 'open'
    const fd = attempt(path, action, () => this.#fs.openSync(path, FLAGS[mode], permissions))
    const file = new NodeFile(this.#fs, path, fd)
    if (model !== undefined) this.#imitate(file, model)
    return file
  }

  #imitate(file: NodeFile, model: Likeness): void {
    try {
      attempt(file.path, 'set the permissions of', () => imitate(this.#fs, file.descriptor, model))
    } catch (error) {
      file.close()
      throw error
    }
  }

  #examine(path: string) {
    return attempt(path, 'examine', () => this.#fs.statSync(path, { throwIfNoEntry: false }))
  }

  exists(path: string): boolean {
    return this.#examine(path) !== undefined
  }

  rename(from: string, to: string): void {
    attempt(to, 'rename to', () => this.#fs.renameSync(from, to))
  }

  link(from: string, to: string): void {
    attempt(to, 'link to', () => this.#fs.linkSync(from, to))
  }

  unlink(path: string): void {
    try {
      this.#fs.unlinkSync(path)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw fileError(error, path, 'remove')
    }
  }

  syncDirectory(path: string): void {
    // Windows cannot open a directory, and its file systems journal names by themselves.
    if (process.platform === 'win32') return
    const directory = dirname(path)
    const fd = attempt(directory, 'open', () => this.#fs.openSync(directory, 'r'))
    try {
      this.#fs.fsyncSync(fd)
    } catch (error) {
      throw fileError(error, directory, 'sync')
    } finally {
      this.#fs.closeSync(fd)
    }
  }
}

/**
 * A file that another thread of the process has open, and keeps open: the name may be that of another file by now.
 * Closing it closes nothing.
 */
export function borrowFile(path: string, descriptor: number): OpenFile {
  return new BorrowedFile(nodeFs, path, descriptor)
}

/** The file system behind a binding. */
export function fileSystemOver(fs: FileBinding): FileSystem {
  return new NodeFileSystem(fs)
}

/** The real file system. */
export const nodeFileSystem = fileSystemOver(nodeFs)

import { type FileSystem, fileError, type OpenFile, type OpenMode } from '../../src/journal/journal-file.js'
import { SparseBytes } from './sparse-bytes.js'

/*
 * A disk in memory that remembers what has been synced. docs/durability.md tells why it may do what it does.
 *
 * Of each file there are two contents: what a program reads (the cache of the operating system) and what is on the
 * disk; and in between the changes that are only in the cache. Names are kept in the same way, apart from contents:
 * syncing a file does not sync its name, and renaming it does not sync its content.
 */

/** A change of a file's content that is not yet on the disk. */
export type Change =
  | { readonly type: 'write'; readonly position: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly size: number }

/** One file, whatever its name. */
export class Inode {
  readonly cache: SparseBytes
  /** What a power cut surely leaves. */
  durable: SparseBytes
  /** In the order they were made. */
  pending: Change[] = []

  constructor(content = new SparseBytes()) {
    this.cache = content.clone()
    this.durable = content.clone()
  }

  change(change: Change): void {
    applyChange(this.cache, change)
    this.pending.push(change)
  }

  sync(): void {
    for (const change of this.pending) applyChange(this.durable, change)
    this.pending = []
  }

  /** What a failed sync may do: some changes get to the disk; the others count as written, but are not. */
  dropAfter(kept: number): void {
    for (const change of this.pending.slice(0, kept)) applyChange(this.durable, change)
    this.pending = []
  }
}

export function applyChange(content: SparseBytes, change: Change): void {
  if (change.type === 'write') content.write(change.bytes, change.position)
  else content.resize(change.size)
}

/** A change of the names in the directory: a rename does both, at once. */
export interface NameChange {
  readonly removes?: string
  readonly sets?: { readonly name: string; readonly inode: Inode }
}

export type Names = Map<string, Inode>

export function applyNameChange(names: Names, { removes, sets }: NameChange): void {
  if (removes !== undefined) names.delete(removes)
  if (sets !== undefined) names.set(sets.name, sets.inode)
}

/** What was asked of the disk: only what changes something, in the order of the calls. */
export interface Operation {
  readonly type: 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'link' | 'unlink' | 'sync-directory'
  /** For a rename or a link the new name. */
  readonly path: string
  /** Of a write: where. */
  readonly position?: number
  /** Of a write: how many bytes. Of a truncation: the new size. */
  readonly size?: number
  /** Of a rename or a link: the old name. */
  readonly from?: string
}

/** Makes an operation fail. */
export interface Fault {
  readonly code: 'EIO' | 'ENOSPC'
  /** Bytes of a failing write that are written nevertheless. */
  readonly writtenBytes?: number
  /** Changes of which a failing sync nevertheless gets to the disk. */
  readonly keptChanges?: number
}

/** What is on a disk that is not in use: contents by name. */
export type DiskImage = ReadonlyMap<string, SparseBytes>

export class SimulatedDisk implements FileSystem {
  /** As programs see them. */
  readonly names: Names = new Map()
  /** As a power cut would surely leave them. */
  readonly durableNames: Names = new Map()
  pendingNames: NameChange[] = []
  readonly operations: Operation[] = []
  /** Those of them that were made to fail. */
  readonly failed: Operation[] = []
  /** Called after each operation that has changed something. */
  onOperation: ((operation: Operation) => void) | undefined
  /** Called before each operation; an answer makes it fail. */
  onFault: ((operation: Operation) => Fault | undefined) | undefined

  readonly #makeError: typeof fileError
  #dead = false
  /** How many more operations the program will make. */
  #lifetime = Number.POSITIVE_INFINITY

  /** @param makeError of the same copy of the code that will use the disk, because errors are told apart by class */
  constructor(image: DiskImage = new Map(), makeError = fileError) {
    this.#makeError = makeError
    for (const [name, content] of image) {
      const inode = new Inode(content)
      this.names.set(name, inode)
      this.durableNames.set(name, inode)
    }
  }

  open(path: string, mode: OpenMode): OpenFile {
    const found = this.names.get(path)
    if (mode === 'create') {
      if (found !== undefined) throw this.#systemError('EEXIST', path, 'create')
      const inode = new Inode()
      this.perform({ type: 'create', path }, () => this.#changeNames({ sets: { name: path, inode } }))
      return new SimulatedFile(this, path, inode, true)
    }
    if (found === undefined) throw this.#systemError('ENOENT', path, 'open')
    return new SimulatedFile(this, path, found, mode === 'write')
  }

  exists(path: string): boolean {
    return this.names.has(path)
  }

  rename(from: string, to: string): void {
    const inode = this.names.get(from)
    if (inode === undefined) throw this.#systemError('ENOENT', from, 'rename')
    // Two names of one file stay both, as POSIX has it.
    if (this.names.get(to) === inode) return
    this.perform({ type: 'rename', path: to, from }, () =>
      this.#changeNames({ removes: from, sets: { name: to, inode } }),
    )
  }

  link(from: string, to: string): void {
    const inode = this.names.get(from)
    if (inode === undefined) throw this.#systemError('ENOENT', from, 'link')
    if (this.names.has(to)) throw this.#systemError('EEXIST', to, 'link')
    this.perform({ type: 'link', path: to, from }, () => this.#changeNames({ sets: { name: to, inode } }))
  }

  unlink(path: string): void {
    if (!this.names.has(path)) return
    this.perform({ type: 'unlink', path }, () => this.#changeNames({ removes: path }))
  }

  syncDirectory(path: string): void {
    this.perform({ type: 'sync-directory', path }, () => {
      for (const change of this.pendingNames) applyNameChange(this.durableNames, change)
      this.pendingNames = []
    })
  }

  /** Whether the program that uses the disk has been killed: nothing it may still try has any effect. */
  get dead(): boolean {
    return this.#dead
  }

  /** Kills the program after so many operations; the system it runs on, and what it wrote, live on. */
  killAfter(operations: number): void {
    this.#lifetime = operations
  }

  /** Kills the program now. */
  kill(): void {
    this.#dead = true
  }

  /** Lets another program use the disk. */
  revive(): void {
    this.#dead = false
    this.#lifetime = Number.POSITIVE_INFINITY
  }

  /** What a program finds that is started after the last one was killed. */
  afterKill(): DiskImage {
    return contents(this.names, (inode) => inode.cache)
  }

  /** What is left if the power goes and nothing that was not synced had reached the disk. */
  afterWorstPowerCut(): DiskImage {
    return contents(this.durableNames, (inode) => inode.durable)
  }

  perform(operation: Operation, effect: () => void, onFault: (fault: Fault) => void = () => {}): void {
    this.#dead ||= this.#lifetime-- <= 0
    if (this.#dead) throw new Error('The program has been killed.')
    const fault = this.onFault?.(operation)
    this.operations.push(operation)
    if (fault !== undefined) {
      this.failed.push(operation)
      onFault(fault)
      throw this.#systemError(fault.code, operation.path, operation.type)
    }
    effect()
    this.onOperation?.(operation)
  }

  #systemError(code: string, path: string, action: string): Error {
    return this.#makeError(Object.assign(new Error(`${code} on the simulated disk`), { code }), path, action)
  }

  #changeNames(change: NameChange): void {
    applyNameChange(this.names, change)
    this.pendingNames.push(change)
  }
}

class SimulatedFile implements OpenFile {
  readonly path: string
  readonly #disk: SimulatedDisk
  readonly #inode: Inode
  readonly #writable: boolean
  #open = true

  constructor(disk: SimulatedDisk, path: string, inode: Inode, writable: boolean) {
    this.#disk = disk
    this.path = path
    this.#inode = inode
    this.#writable = writable
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#assertOpen()
    return this.#inode.cache.read(buffer, offset, length, position)
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    this.#assertWritable()
    const bytes = Buffer.concat(buffers)
    this.#disk.perform(
      { type: 'write', path: this.path, position, size: bytes.length },
      () => this.#inode.change({ type: 'write', position, bytes }),
      ({ writtenBytes = 0 }) => {
        this.#inode.change({ type: 'write', position, bytes: bytes.subarray(0, writtenBytes) })
      },
    )
  }

  sync(): void {
    this.#assertWritable()
    this.#disk.perform(
      { type: 'sync', path: this.path },
      () => this.#inode.sync(),
      ({ keptChanges = 0 }) => this.#inode.dropAfter(keptChanges),
    )
  }

  truncate(size: number): void {
    this.#assertWritable()
    this.#disk.perform({ type: 'truncate', path: this.path, size }, () =>
      this.#inode.change({ type: 'truncate', size }),
    )
  }

  size(): number {
    this.#assertOpen()
    return this.#inode.cache.size
  }

  close(): void {
    this.#open = false
  }

  closeLater(): void {
    this.close()
  }

  #assertOpen(): void {
    if (!this.#open) throw new Error(`${this.path} is used after it was closed.`)
  }

  #assertWritable(): void {
    this.#assertOpen()
    if (!this.#writable) throw new Error(`${this.path} was opened for reading only.`)
  }
}

function contents(names: Names, contentOf: (inode: Inode) => SparseBytes): DiskImage {
  return new Map(Array.from(names, ([name, inode]) => [name, contentOf(inode).clone()]))
}

import { type FileSystem, nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'
import type { Operation } from './simulated-disk.js'

/** The real file system, which notes what changes something as the simulated disk does. */
export class LoggingFileSystem implements FileSystem {
  readonly operations: Operation[] = []

  open(...args: Parameters<FileSystem['open']>): OpenFile {
    const [path, mode] = args
    const file = nodeFileSystem.open(...args)
    if (mode === 'create') this.operations.push({ type: 'create', path })
    return new LoggingFile(file, this.operations)
  }

  exists(path: string): boolean {
    return nodeFileSystem.exists(path)
  }

  rename(from: string, to: string): void {
    nodeFileSystem.rename(from, to)
    this.operations.push({ type: 'rename', path: to, from })
  }

  link(from: string, to: string): void {
    nodeFileSystem.link(from, to)
    this.operations.push({ type: 'link', path: to, from })
  }

  unlink(path: string): void {
    if (nodeFileSystem.exists(path)) this.operations.push({ type: 'unlink', path })
    nodeFileSystem.unlink(path)
  }

  syncDirectory(path: string): void {
    nodeFileSystem.syncDirectory(path)
    this.operations.push({ type: 'sync-directory', path })
  }
}

class LoggingFile implements OpenFile {
  readonly #file: OpenFile
  readonly #operations: Operation[]

  constructor(file: OpenFile, operations: Operation[]) {
    this.#file = file
    this.#operations = operations
  }

  get path(): string {
    return this.#file.path
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    return this.#file.read(buffer, offset, length, position)
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    this.#file.write(buffers, position)
    const size = buffers.reduce((sum, { length }) => sum + length, 0)
    this.#operations.push({ type: 'write', path: this.path, position, size })
  }

  sync(): void {
    this.#file.sync()
    this.#operations.push({ type: 'sync', path: this.path })
  }

  truncate(size: number): void {
    this.#file.truncate(size)
    this.#operations.push({ type: 'truncate', path: this.path, size })
  }

  size(): number {
    return this.#file.size()
  }

  close(): void {
    this.#file.close()
  }

  closeLater(): void {
    this.#file.closeLater()
  }
}

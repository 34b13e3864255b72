import { type FileSystem, fileError, nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'

export type Operation = 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'link' | 'sync-directory'

/** One thing that was done to a file. */
export interface Event {
  readonly operation: Operation
  readonly path: string
}

/** The real file system, with a log of what was done and, on request, failures. */
export class FaultyFileSystem implements FileSystem {
  readonly events: Event[] = []
  /** Called before each operation; returns a system's error code to make it fail. */
  fault: (event: Event) => string | undefined = () => undefined
  /** False: leave out what only matters when the power goes, to be faster. */
  syncs = true
  /** Bytes of a failing write that reach the file nevertheless. */
  tornBytes = 0

  count(operation: Operation, suffix = ''): number {
    return this.events.filter((event) => event.operation === operation && event.path.endsWith(suffix)).length
  }

  /** Notes the operation, and throws if it is to fail. */
  perform(operation: Operation, path: string, onFault: () => void = () => {}): void {
    const event = { operation, path }
    this.events.push(event)
    const code = this.fault(event)
    if (code === undefined) return
    onFault()
    throw fileError(Object.assign(new Error(code), { code }), path, operation)
  }

  open(...args: Parameters<FileSystem['open']>): OpenFile {
    return new FaultyFile(this, nodeFileSystem.open(...args))
  }

  exists(path: string): boolean {
    return nodeFileSystem.exists(path)
  }

  rename(from: string, to: string): void {
    this.perform('rename', to)
    nodeFileSystem.rename(from, to)
  }

  link(from: string, to: string): void {
    this.perform('link', to)
    nodeFileSystem.link(from, to)
  }

  unlink(path: string): void {
    nodeFileSystem.unlink(path)
  }

  syncDirectory(path: string): void {
    this.perform('sync-directory', path)
    if (this.syncs) nodeFileSystem.syncDirectory(path)
  }
}

class FaultyFile implements OpenFile {
  readonly path: string
  readonly #disk: FaultyFileSystem
  readonly #file: OpenFile

  constructor(disk: FaultyFileSystem, file: OpenFile) {
    this.#disk = disk
    this.#file = file
    this.path = file.path
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#disk.perform('read', this.path)
    return this.#file.read(buffer, offset, length, position)
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    this.#disk.perform('write', this.path, () => {
      this.#file.write([Buffer.concat(buffers).subarray(0, this.#disk.tornBytes)], position)
    })
    this.#file.write(buffers, position)
  }

  sync(): void {
    this.#disk.perform('sync', this.path)
    if (this.#disk.syncs) this.#file.sync()
  }

  truncate(size: number): void {
    this.#disk.perform('truncate', this.path)
    this.#file.truncate(size)
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

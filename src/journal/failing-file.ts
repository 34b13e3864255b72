import { PerdureError } from '../core/errors.js'
import type { OpenFile } from './journal-file.js'

/** Disks fail by sectors of this size, or of a part of it. */
const SECTOR_BYTES = 4096

/** Reads a file on a disk that is failing: what the disk cannot read comes as zeros, which no checksum fits. */
export class FailingFile implements OpenFile {
  readonly path: string
  readonly #file: OpenFile
  readonly #unreadable = new Set<number>()

  constructor(file: OpenFile) {
    this.#file = file
    this.path = file.path
  }

  /** Bytes that could not be read so far. */
  get unreadableBytes(): number {
    return this.#unreadable.size * SECTOR_BYTES
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    try {
      return this.#file.read(buffer, offset, length, position)
    } catch (error) {
      if (!isUnreadable(error)) throw error
    }
    const end = Math.min(position + length, this.size())
    for (let at = position; at < end; ) {
      const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
      this.#readSector(buffer, offset + at - position, next - at, at)
      at = next
    }
    return Math.max(0, end - position)
  }

  #readSector(buffer: Uint8Array, offset: number, length: number, position: number): void {
    try {
      this.#file.read(buffer, offset, length, position)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#unreadable.add(Math.floor(position / SECTOR_BYTES))
      buffer.fill(0, offset, offset + length)
    }
  }

  size(): number {
    return this.#file.size()
  }

  write(): never {
    throw this.#readonlyError()
  }

  sync(): never {
    throw this.#readonlyError()
  }

  truncate(): never {
    throw this.#readonlyError()
  }

  close(): void {
    this.#file.close()
  }

  closeLater(): void {
    this.#file.closeLater()
  }

  #readonlyError(): PerdureError {
    return new PerdureError('PERDURE_READONLY', `${this.path} is only read.`, { details: { path: this.path } })
  }
}

/** Whether the disk could not read, as opposed to everything else that can go wrong. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof PerdureError && error.details['system'] === 'EIO'
}

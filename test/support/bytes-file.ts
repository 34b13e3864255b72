import type { OpenFile } from '../../src/journal/journal-file.js'

/** Some bytes in memory as an open file that must not be written. Counts what is read of them. */
export class BytesFile implements OpenFile {
  readonly path: string
  readonly #bytes: Uint8Array
  bytesRead = 0
  isClosed = false

  constructor(bytes: Uint8Array, path = 'a.durus') {
    this.#bytes = bytes
    this.path = path
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (this.isClosed) throw new Error('A closed file is read.')
    const bytes = this.#bytes.subarray(position, position + length)
    buffer.set(bytes, offset)
    this.bytesRead += bytes.length
    return bytes.length
  }

  size(): number {
    return this.#bytes.length
  }

  close(): void {
    this.isClosed = true
  }

  closeLater(): void {
    this.close()
  }

  write(): void {
    throw new Error('A file is written that should only be read.')
  }

  sync(): void {
    this.write()
  }

  truncate(): void {
    this.write()
  }
}

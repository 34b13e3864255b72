import { crc32 } from 'node:zlib'
import { PerdureError } from '../core/errors.js'
import { readId, viewOf, writeId } from './format.js'
import type { FileSystem, OpenFile } from './journal-file.js'

/*
 * The watermark: a small sidecar file that exists while a journal is open for writing. After each sync, and before
 * the commits of it are answered, the writer stores there how far the journal goes. Readers in other processes see
 * exactly that, so never a commit that is not durable. It is not synced: after a crash of the writer alone it is
 * still exact, and after a power cut it may be old but never too new.
 */

const BYTES = 64
const MAX_TRIES = 10
const MAGIC = Buffer.from('\x89PLIV\r\n\x1a', 'latin1')

export interface Watermark {
  /** Readers may read the journal up to here. */
  readonly end: number
  /** The journal is on the disk up to here. Less than `end` only with durability 'os'. */
  readonly durable: number
  /** The writer has closed the journal; the file is about to be removed. */
  readonly closed: boolean
}

export function watermarkPath(journalPath: string): string {
  return `${journalPath}.live`
}

/** Whether a file that begins with these bytes is a watermark. */
export function isWatermark(head: Buffer): boolean {
  return head.subarray(0, 8).equals(MAGIC)
}

/** Publishes how far the journal goes. */
export class WatermarkWriter {
  readonly #fileSystem: FileSystem
  readonly #file: OpenFile
  readonly #bytes = Buffer.alloc(BYTES)
  readonly #view = viewOf(this.#bytes)

  constructor(fileSystem: FileSystem, journalPath: string, uuid: Uint8Array) {
    this.#fileSystem = fileSystem
    const path = watermarkPath(journalPath)
    // A file left by a writer that was killed is used again, so that readers need not look for a new one.
    this.#file = fileSystem.exists(path) ? fileSystem.open(path, 'write') : fileSystem.open(path, 'create', journalPath)
    MAGIC.copy(this.#bytes, 0)
    this.#bytes.set(uuid, 8)
  }

  /** Another journal, all of it on the disk, has taken the place of the one that was written until now. */
  follow(uuid: Uint8Array, end: number): void {
    this.#bytes.set(uuid, 8)
    this.publish(end, end)
  }

  publish(end: number, durable: number): void {
    this.#write(end, durable, false)
  }

  /** Says that there will be no more, and removes the file. */
  close(end: number): void {
    this.#write(end, end, true)
    this.abandon()
    this.#fileSystem.unlink(this.#file.path)
  }

  /** Leaves the file as it is, as a killed writer does. */
  abandon(): void {
    this.#file.close()
  }

  #write(end: number, durable: number, closed: boolean): void {
    const view = this.#view
    writeId(view, 24, end)
    writeId(view, 32, durable)
    view.setUint32(40, closed ? 1 : 0, true)
    view.setUint32(60, crc32(this.#bytes.subarray(0, 60)), true)
    this.#file.write([this.#bytes], 0)
  }
}

/** Reads what a writer, in this or another process, publishes. */
export class WatermarkReader {
  readonly #file: OpenFile
  readonly #bytes = Buffer.alloc(BYTES)
  readonly #view = viewOf(this.#bytes)

  private constructor(file: OpenFile) {
    this.#file = file
  }

  /** Undefined if there is no such file. */
  static open(fileSystem: FileSystem, journalPath: string): WatermarkReader | undefined {
    const path = watermarkPath(journalPath)
    if (!fileSystem.exists(path)) return undefined
    try {
      return new WatermarkReader(fileSystem.open(path, 'read'))
    } catch (error) {
      if (error instanceof PerdureError && error.code === 'PERDURE_NOT_FOUND') return undefined
      throw error
    }
  }

  /** Undefined if there is nothing that could be meant for readers of this database. */
  read(uuid: Uint8Array): Watermark | undefined {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const bytes = this.#bytes
      // Shorter only before the first publication, when the journal has not been written to either.
      if (this.#file.read(bytes, 0, BYTES, 0) < BYTES || !isWatermark(bytes)) return undefined
      // A wrong checksum is most likely a change in progress.
      if (crc32(bytes.subarray(0, 60)) === this.#view.getUint32(60, true)) return this.#decode(uuid)
    }
    return undefined
  }

  #decode(uuid: Uint8Array): Watermark | undefined {
    if (Buffer.compare(this.#bytes.subarray(8, 24), uuid) !== 0) return undefined
    return {
      end: readId(this.#view, 24),
      durable: readId(this.#view, 32),
      closed: this.#view.getUint32(40, true) === 1,
    }
  }

  close(): void {
    this.#file.close()
  }
}

import { endianness } from 'node:os'
import { crc32 } from 'node:zlib'
import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { checksumSeed, readId, viewOf, writeId } from './format.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import { PAGE_ENTRIES } from './oid-index.js'

/*
 * The checkpoint: a sidecar file with the oid index as of some offset of the journal, so that opening need not read
 * the journal. It can always be made again and may be deleted at any time. docs/file-format.md has the tables.
 *
 *   checkpoint := header page*
 *   page       := crc number entry{1024}        so that each can be read, and trusted, alone
 */

const CHECKPOINT_VERSION = 1
const HEADER_BYTES = 128
const PAGE_HEADER_BYTES = 8
const PAGE_BYTES = PAGE_HEADER_BYTES + PAGE_ENTRIES * 8
const MAGIC = Buffer.from('\x89PIDX\r\n\x1a', 'latin1')
const BIG_ENDIAN = endianness() === 'BE'

export interface CheckpointHeader {
  readonly uuid: Uint8Array
  /** Every transaction before this offset of the journal is in the pages. */
  readonly covered: number
  /**
   * Some pages may already know of transactions up to this offset, because commits went on while they were
   * written. All of the journal before it was on the disk when the checkpoint was finished.
   */
  readonly required: number
  /** Of the last transaction before `covered`. */
  readonly tid: Tid
  readonly time: number
  readonly checksum: number
  readonly nextOid: Oid
  readonly objects: number
  readonly pages: number
}

/** Where the checkpoint of a journal is. */
export function checkpointPath(journalPath: string): string {
  return `${journalPath}.index`
}

/** Where it is while it is written. */
export function checkpointTemporaryPath(journalPath: string): string {
  return `${checkpointPath(journalPath)}.new`
}

function encodeHeader(header: CheckpointHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  const view = viewOf(bytes)
  MAGIC.copy(bytes, 0)
  view.setUint32(8, CHECKPOINT_VERSION, true)
  view.setUint32(12, PAGE_ENTRIES, true)
  bytes.set(header.uuid, 16)
  writeId(view, 32, header.covered)
  writeId(view, 40, header.required)
  writeId(view, 48, header.tid)
  writeId(view, 56, header.time)
  writeId(view, 64, header.nextOid)
  writeId(view, 72, header.objects)
  writeId(view, 80, header.pages)
  view.setUint32(88, header.checksum, true)
  view.setUint32(124, crc32(bytes.subarray(0, 124)), true)
  return bytes
}

/** Whether a file that begins with these bytes is a checkpoint, of whichever version. */
export function isCheckpoint(head: Buffer): boolean {
  return head.subarray(0, 8).equals(MAGIC)
}

function decodeHeader(bytes: Buffer): CheckpointHeader | undefined {
  const view = viewOf(bytes)
  const known =
    bytes.length === HEADER_BYTES &&
    isCheckpoint(bytes) &&
    crc32(bytes.subarray(0, 124)) === view.getUint32(124, true) &&
    view.getUint32(8, true) === CHECKPOINT_VERSION &&
    view.getUint32(12, true) === PAGE_ENTRIES
  if (!known) return undefined
  return {
    uuid: Uint8Array.from(bytes.subarray(16, 32)),
    covered: readId(view, 32),
    required: readId(view, 40),
    tid: readId(view, 48),
    time: readId(view, 56),
    nextOid: readId(view, 64),
    objects: readId(view, 72),
    pages: readId(view, 80),
    checksum: view.getUint32(88, true),
  }
}

/** An open checkpoint. Pages are read and checked one at a time, when they are needed. */
export class CheckpointFile {
  readonly header: CheckpointHeader
  readonly #file: OpenFile
  readonly #seed: number
  readonly #page = Buffer.allocUnsafeSlow(PAGE_BYTES)

  private constructor(file: OpenFile, header: CheckpointHeader) {
    this.#file = file
    this.header = header
    this.#seed = checksumSeed(header.uuid)
  }

  /** The checkpoint beside a journal; a word why not, if there is none that could belong to it. */
  static open(
    fileSystem: FileSystem,
    journalPath: string,
    uuid: Uint8Array,
  ): CheckpointFile | 'missing' | 'damaged' | 'foreign' {
    let file: OpenFile
    try {
      file = fileSystem.open(checkpointPath(journalPath), 'read')
    } catch (error) {
      if (error instanceof PerdureError && error.code === 'PERDURE_NOT_FOUND') return 'missing'
      throw error
    }
    const bytes = Buffer.alloc(HEADER_BYTES)
    const header = file.read(bytes, 0, HEADER_BYTES, 0) === HEADER_BYTES ? decodeHeader(bytes) : undefined
    if (header !== undefined && Buffer.compare(header.uuid, uuid) === 0) {
      if (file.size() === HEADER_BYTES + header.pages * PAGE_BYTES) return new CheckpointFile(file, header)
    }
    file.close()
    return header !== undefined && Buffer.compare(header.uuid, uuid) !== 0 ? 'foreign' : 'damaged'
  }

  /** Reads one page. False if it is damaged. */
  readPage(page: number, target: BigUint64Array): boolean {
    const bytes = this.#page
    if (this.#file.read(bytes, 0, PAGE_BYTES, HEADER_BYTES + page * PAGE_BYTES) < PAGE_BYTES) return false
    if (bytes.readUInt32LE(4) !== page || crc32(bytes.subarray(4), this.#seed) !== bytes.readUInt32LE(0)) return false
    const entries = Buffer.from(target.buffer, target.byteOffset, target.byteLength)
    bytes.copy(entries, 0, PAGE_HEADER_BYTES)
    if (BIG_ENDIAN) entries.swap64()
    return true
  }

  close(): void {
    this.#file.close()
  }
}

/** Pages written and synced in one step: enough to be fast, little enough not to hold up a commit for long. */
const STEP_PAGES = 64

/** What a checkpoint writer asks of the thread that writes the journal. */
export interface CheckpointSource {
  /** Gives the newest entries of a page. */
  copyPage(page: number, target: BigUint64Array): void

  /** Returns the end of the journal, having made sure that every byte before it is on the disk. */
  syncedEnd(): number
}

/**
 * Writes a checkpoint a few pages at a time, between commits. The pages need not be of one moment: opening replays
 * the journal from where the checkpoint was begun, and that makes them so.
 */
export class CheckpointWriter {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #temporaryPath: string
  readonly #begun: Omit<CheckpointHeader, 'required'>
  readonly #source: CheckpointSource
  readonly #file: OpenFile
  readonly #seed: number
  #next = 0

  /** @param begun what holds now; transactions after `begun.covered` may or may not get into the pages */
  constructor(
    fileSystem: FileSystem,
    journalPath: string,
    begun: Omit<CheckpointHeader, 'required'>,
    source: CheckpointSource,
  ) {
    this.#fileSystem = fileSystem
    this.#path = checkpointPath(journalPath)
    this.#temporaryPath = checkpointTemporaryPath(journalPath)
    this.#begun = begun
    this.#source = source
    this.#seed = checksumSeed(begun.uuid)
    fileSystem.unlink(this.#temporaryPath)
    this.#file = fileSystem.open(this.#temporaryPath, 'create', journalPath)
  }

  /** Offset of the journal from which an opening with this checkpoint will replay. */
  get covered(): number {
    return this.#begun.covered
  }

  /** Does a bit of the work. True when the checkpoint is there. */
  step(): boolean {
    if (this.#next === this.#begun.pages) {
      this.#finish()
      return true
    }
    const first = this.#next
    const count = Math.min(STEP_PAGES, this.#begun.pages - first)
    const bytes = Buffer.allocUnsafe(count * PAGE_BYTES)
    for (let i = 0; i < count; i++) this.#encodePage(bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES), first + i)
    this.#file.write([bytes], HEADER_BYTES + first * PAGE_BYTES)
    this.#file.sync()
    this.#next += count
    return false
  }

  readonly #entries = new BigUint64Array(PAGE_ENTRIES)

  #encodePage(bytes: Buffer, page: number): void {
    this.#source.copyPage(page, this.#entries)
    bytes.writeUInt32LE(page, 4)
    Buffer.from(this.#entries.buffer).copy(bytes, PAGE_HEADER_BYTES)
    if (BIG_ENDIAN) bytes.subarray(PAGE_HEADER_BYTES).swap64()
    bytes.writeUInt32LE(crc32(bytes.subarray(4), this.#seed), 0)
  }

  #finish(): void {
    const required = this.#source.syncedEnd()
    this.#file.write([encodeHeader({ ...this.#begun, required })], 0)
    this.#file.sync()
    this.#file.close()
    this.#fileSystem.rename(this.#temporaryPath, this.#path)
    this.#fileSystem.syncDirectory(this.#path)
  }

  /** Gives up an unfinished checkpoint. Never throws: that is mostly done because the disk fails. */
  abandon(): void {
    try {
      this.#file.close()
      this.#fileSystem.unlink(this.#temporaryPath)
    } catch {
      // The next checkpoint removes the file before it begins.
    }
  }
}

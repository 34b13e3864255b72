import { CorruptionError } from '../core/errors.js'
import { CheckpointFile } from './checkpoint.js'
import { checksumSeed, FILE_HEADER_BYTES, type FileHeader, RESTORE_OR_REPAIR } from './format.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import { type OidIndex, PAGE_ENTRIES, type PageSource } from './oid-index.js'
import { JournalScanner } from './scanner.js'

/**
 * Gives an index the pages that it has not needed yet: from the checkpoint, and where that is damaged or has been
 * deleted since, from the journal itself.
 *
 * It does not matter which checkpoint of the journal is read, as long as it is not older than the one the storage
 * was opened with: entries that have changed since then are in the index already and stay.
 */
export class JournalPages implements PageSource {
  readonly #fileSystem: FileSystem
  readonly #journal: OpenFile
  readonly #header: FileHeader
  readonly #covered: number
  readonly #onRebuild: () => void
  #checkpoint: CheckpointFile | undefined
  #opened: boolean
  /** Why a rebuild is not tried again: the next one would read the whole journal for the same result. */
  #failure: CorruptionError | undefined

  /**
   * @param covered offset up to which the index needs pages; what comes behind it is set by the writer
   * @param onRebuild called when the checkpoint has turned out to be of no use
   * @param checkpoint if it is open already; else the one beside the journal is opened when a page is needed
   */
  constructor(
    fileSystem: FileSystem,
    journal: OpenFile,
    header: FileHeader,
    covered: number,
    onRebuild: () => void,
    checkpoint?: CheckpointFile,
  ) {
    this.#fileSystem = fileSystem
    this.#journal = journal
    this.#header = header
    this.#covered = covered
    this.#checkpoint = checkpoint
    this.#opened = checkpoint !== undefined
    this.#onRebuild = onRebuild
  }

  readPage(page: number, target: BigUint64Array): boolean {
    const checkpoint = this.#open()
    return checkpoint !== undefined && page < checkpoint.header.pages && checkpoint.readPage(page, target)
  }

  #open(): CheckpointFile | undefined {
    if (this.#opened) return this.#checkpoint
    this.#opened = true
    const checkpoint = CheckpointFile.open(this.#fileSystem, this.#journal.path, this.#header.uuid)
    if (typeof checkpoint === 'string') return undefined
    if (checkpoint.header.covered >= this.#covered) this.#checkpoint = checkpoint
    else checkpoint.close()
    return this.#checkpoint
  }

  rebuild(index: OidIndex): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#onRebuild()
    for (const [page, entries] of this.#scan(index.memory.storedPages).entries()) index.fill(page, entries)
  }

  /** All pages as they were at `covered`. */
  #scan(count: number): BigUint64Array[] {
    const pages = Array.from({ length: count }, () => new BigUint64Array(PAGE_ENTRIES))
    const scanner = new JournalScanner(this.#journal, checksumSeed(this.#header.uuid), FILE_HEADER_BYTES, this.#covered)
    for (let transaction = scanner.next(); transaction !== undefined; transaction = scanner.next()) {
      const { position, image } = transaction
      image.forEachRecord((oid, offset) => {
        const page = pages[Math.floor(oid / PAGE_ENTRIES)]
        if (page !== undefined) page[oid % PAGE_ENTRIES] = BigInt(position + offset)
      })
    }
    if (scanner.position === this.#covered) return pages
    this.#failure = new CorruptionError(
      this.#journal.path,
      scanner.position,
      `a transaction is damaged, and so is the index file. ${RESTORE_OR_REPAIR}`,
    )
    throw this.#failure
  }

  close(): void {
    this.#checkpoint?.close()
  }
}

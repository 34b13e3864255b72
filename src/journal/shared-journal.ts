import { PerdureError } from '../core/errors.js'
import { ChangeRing } from './change-ring.js'
import type { FileHeader } from './format.js'
import { readFileHeader } from './journal.js'
import { borrowFile, type FileSystem, type OpenFile } from './journal-file.js'
import { JournalPages } from './journal-pages.js'
import { OidIndex, type OidIndexMemory } from './oid-index.js'
import { type PublishedMemory, PublishedState } from './published-state.js'
import { JournalReader } from './reader.js'
import { TransactionFinder } from './transaction-finder.js'

/** All that a thread needs to read an open journal by itself. It passes through `postMessage`. */
export interface SharedJournal {
  readonly path: string
  readonly header: FileHeader
  /** How many journals the storage has had since it was opened: a pack makes a new one. */
  readonly generation: number
  /** Up to this offset of the journal, the entries of the index may have to be loaded from the checkpoint. */
  readonly covered: number
  readonly index: OidIndexMemory
  readonly state: PublishedMemory
  readonly changes: SharedArrayBuffer
  /**
   * Of the journal's file, for threads that read it while whoever gave them this keeps it open. Without it the file
   * is found by its path, where by now another journal may be.
   */
  readonly descriptor?: number
}

/** What is needed of it to read its file alone. */
export type SharedFile = Pick<SharedJournal, 'path' | 'header' | 'descriptor'>

/**
 * Opens the file of a journal that another thread of this process writes. Undefined if a pack has put another one in
 * its place.
 */
export function findShared(fileSystem: FileSystem, { path, header, descriptor }: SharedFile): OpenFile | undefined {
  if (descriptor !== undefined) return borrowFile(path, descriptor)
  const file = fileSystem.open(path, 'read')
  try {
    if (Buffer.compare(readFileHeader(file).uuid, header.uuid) === 0) return file
  } catch (error) {
    file.close()
    throw error
  }
  file.close()
  return undefined
}

/**
 * As {@link findShared}.
 *
 * @throws PerdureError `PERDURE_BUSY` if a pack has put another journal in its place
 */
export function openShared(fileSystem: FileSystem, shared: SharedFile): OpenFile {
  const file = findShared(fileSystem, shared)
  if (file === undefined) throw replacedMeanwhile(shared.path)
  return file
}

export function replacedMeanwhile(path: string): PerdureError {
  return new PerdureError('PERDURE_BUSY', `A pack has just put a new file in the place of ${path}. Try again.`, {
    details: { path },
  })
}

/**
 * One thread's means of reading a journal: its own file descriptor and block cache over the shared index. Snapshots
 * hold on to it, so that the file stays open as long as one of them may need it.
 */
export class JournalView {
  readonly shared: SharedJournal
  readonly state: PublishedState
  readonly changes: ChangeRing
  readonly index: OidIndex
  readonly reader: JournalReader
  readonly #file: OpenFile
  #users = 1
  #isRetired = false

  constructor(file: OpenFile, index: OidIndex, shared: SharedJournal, blockCacheBytes?: number) {
    this.shared = shared
    this.#file = file
    this.index = index
    this.state = new PublishedState(shared.state)
    this.changes = new ChangeRing(shared.changes)
    this.reader = new JournalReader(file, () => this.state.get('end'), blockCacheBytes)
  }

  /**
   * Opens a journal that another thread of this process writes.
   *
   * @throws PerdureError `PERDURE_BUSY` if a pack has put another journal in its place
   */
  static attach(fileSystem: FileSystem, shared: SharedJournal, blockCacheBytes?: number): JournalView {
    return JournalView.over(fileSystem, openShared(fileSystem, shared), shared, blockCacheBytes)
  }

  /** @param file of the journal; it is closed with the view */
  static over(fileSystem: FileSystem, file: OpenFile, shared: SharedJournal, blockCacheBytes?: number): JournalView {
    const state = new PublishedState(shared.state)
    const onRebuild = () => void state.add('indexRebuilds', 1)
    const pages = new JournalPages(fileSystem, file, shared.header, shared.covered, onRebuild)
    return new JournalView(file, new OidIndex(shared.index, pages), shared, blockCacheBytes)
  }

  get header(): FileHeader {
    return this.shared.header
  }

  /** For threads of a pool, as long as they work for somebody who retains the view. */
  get borrowed(): SharedJournal {
    const { descriptor } = this.#file
    return descriptor === undefined ? this.shared : { ...this.shared, descriptor }
  }

  /** Finds transactions among those that have been published by now. */
  finder(): TransactionFinder {
    return new TransactionFinder(this.#file, this.header, this.state.get('end'))
  }

  retain(): this {
    this.#users++
    return this
  }

  /** Closes the file when the last user has released it. */
  release(): void {
    if (--this.#users > 0) return
    this.index.close()
    // The last one to let go of a file that has no name any more would have to wait until the system has freed it.
    if (this.#isRetired) this.#file.closeLater()
    else this.#file.close()
  }

  /** As {@link release}, when another journal has taken the place of this one. */
  retire(): void {
    this.#isRetired = true
    this.release()
  }
}

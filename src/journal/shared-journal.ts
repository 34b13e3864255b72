import { ChangeRing } from './change-ring.js'
import type { FileHeader } from './format.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import { JournalPages } from './journal-pages.js'
import { OidIndex, type OidIndexMemory } from './oid-index.js'
import { PublishedState } from './published-state.js'
import { JournalReader } from './reader.js'
import { TransactionFinder } from './transaction-finder.js'

/** All that a thread needs to read an open journal by itself. It passes through `postMessage`. */
export interface SharedJournal {
  readonly path: string
  readonly header: FileHeader
  /** Up to this offset of the journal, the entries of the index may have to be loaded from the checkpoint. */
  readonly covered: number
  readonly index: OidIndexMemory
  readonly state: SharedArrayBuffer
  readonly changes: SharedArrayBuffer
}

/**
 * One thread's means of reading a journal: its own file descriptor and block cache over the shared index. Snapshots
 * hold on to it, so that the file stays open as long as one of them may need it.
 */
export class JournalView {
  readonly state: PublishedState
  readonly changes: ChangeRing
  readonly index: OidIndex
  readonly reader: JournalReader
  readonly header: FileHeader
  readonly #file: OpenFile
  #users = 1

  constructor(
    file: OpenFile,
    header: FileHeader,
    index: OidIndex,
    state: PublishedState,
    changes: ChangeRing,
    blockCacheBytes?: number,
  ) {
    this.#file = file
    this.header = header
    this.index = index
    this.state = state
    this.changes = changes
    this.reader = new JournalReader(file, () => state.get('end'), blockCacheBytes)
  }

  /** Opens a journal that another thread of this process writes. */
  static attach(fileSystem: FileSystem, shared: SharedJournal, blockCacheBytes?: number): JournalView {
    const file = fileSystem.open(shared.path, 'read')
    const state = new PublishedState(shared.state)
    const onRebuild = () => void state.add('indexRebuilds', 1)
    const pages = new JournalPages(fileSystem, file, shared.header, shared.covered, onRebuild)
    return new JournalView(
      file,
      shared.header,
      new OidIndex(shared.index, pages),
      state,
      new ChangeRing(shared.changes),
      blockCacheBytes,
    )
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
    this.#file.close()
  }
}

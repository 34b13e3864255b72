import { ChangeRing } from './change-ring.js'
import type { FileHeader } from './format.js'
import { borrowedFile, type FileSystem, type OpenFile } from './journal-file.js'
import { JournalPages } from './journal-pages.js'
import { OidIndex, type OidIndexMemory } from './oid-index.js'
import { PublishedState } from './published-state.js'
import { JournalReader } from './reader.js'

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
 * The file of a journal for tasks in other threads, which read it by the file descriptor of the view that lends it: its
 * path may have come to mean another file since. The view must be retained until the tasks are done.
 */
export interface LentFile {
  readonly path: string
  readonly descriptor: number
}

/** A journal for tasks in other threads. */
export interface LentJournal extends LentFile {
  readonly shared: SharedJournal
}

/** Closing it does nothing. */
export function lentFile({ descriptor, path }: LentFile): OpenFile {
  return borrowedFile(descriptor, path)
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

  /** For a thread that has opened the journal's file and made its index. Others use {@link attach}. */
  constructor(file: OpenFile, index: OidIndex, shared: SharedJournal, blockCacheBytes?: number) {
    this.shared = shared
    this.#file = file
    this.index = index
    this.state = new PublishedState(shared.state)
    this.changes = new ChangeRing(shared.changes)
    this.reader = new JournalReader(file, () => this.state.get('end'), blockCacheBytes)
  }

  /** Opens a journal that another thread of this process writes. */
  static attach(fileSystem: FileSystem, shared: SharedJournal, blockCacheBytes?: number): JournalView {
    return JournalView.#over(fileSystem, fileSystem.open(shared.path, 'read'), shared, blockCacheBytes)
  }

  /** Reads a journal that another thread of this process has lent. */
  static borrow(fileSystem: FileSystem, journal: LentJournal, blockCacheBytes?: number): JournalView {
    return JournalView.#over(fileSystem, lentFile(journal), journal.shared, blockCacheBytes)
  }

  static #over(
    fileSystem: FileSystem,
    file: OpenFile,
    shared: SharedJournal,
    blockCacheBytes: number | undefined,
  ): JournalView {
    const state = new PublishedState(shared.state)
    const onRebuild = () => void state.add('indexRebuilds', 1)
    const pages = new JournalPages(fileSystem, file, shared.header, shared.covered, onRebuild)
    return new JournalView(file, new OidIndex(shared.index, pages), shared, blockCacheBytes)
  }

  /** For tasks in other threads. Retain the view until they are done. */
  lend(): LentJournal {
    const { path, descriptor } = this.#file
    if (descriptor === undefined) throw new TypeError(`${path} is simulated and cannot be lent.`)
    return { path, descriptor, shared: this.shared }
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

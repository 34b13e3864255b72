import type { FileSystem } from '../journal/journal-file.js'
import { findShared, JournalView, type SharedJournal } from '../journal/shared-journal.js'
import type { CoordinatorClient } from './coordinator-client.js'

/** The newest journal of a storage, as one handle sees it: each pack makes another one. */
export class CurrentJournal {
  readonly #fileSystem: FileSystem
  readonly #client: CoordinatorClient
  readonly #blockCacheBytes: number | undefined
  #shared: SharedJournal
  #view: JournalView

  /**
   * @param shared the newest journal that is known
   * @throws PerdureError `PERDURE_THREAD`, `PERDURE_IO`
   */
  constructor(fileSystem: FileSystem, client: CoordinatorClient, shared: SharedJournal, blockCacheBytes?: number) {
    this.#fileSystem = fileSystem
    this.#client = client
    this.#blockCacheBytes = blockCacheBytes
    const { newest, view } = this.#attach(shared)
    this.#shared = newest
    this.#view = view
    client.onJournal = () => this.#refreshIdly()
  }

  get view(): JournalView {
    return this.#view
  }

  /** For other handles. */
  get shared(): SharedJournal {
    return this.#shared
  }

  /** Goes over to a newer journal, if there is one. Who retains the old view keeps it. */
  refresh(): void {
    const newer = this.#client.newerJournal(this.#shared.generation)
    if (newer === undefined) return
    const { newest, view } = this.#attach(newer)
    this.#view.retire()
    this.#shared = newest
    this.#view = view
  }

  #refreshIdly(): void {
    try {
      this.refresh()
    } catch {
      // Who takes the next snapshot tries again, and is told what is wrong.
    }
  }

  /** The file is found by its path; where a pack has been faster, the handle is about to be told of another journal. */
  #attach(shared: SharedJournal): { newest: SharedJournal; view: JournalView } {
    for (let newest = shared; ; newest = this.#client.awaitNewerJournal(newest.generation)) {
      const file = findShared(this.#fileSystem, newest)
      if (file !== undefined) {
        return { newest, view: JournalView.over(this.#fileSystem, file, newest, this.#blockCacheBytes) }
      }
    }
  }

  release(): void {
    this.#client.onJournal = undefined
    this.#view.release()
  }
}

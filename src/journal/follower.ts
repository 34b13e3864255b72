import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import { ChangeRing } from './change-ring.js'
import { FollowedJournal } from './followed-journal.js'
import type { FileHeader } from './format.js'
import { readFileHeader } from './journal.js'
import type { FileSystem } from './journal-file.js'
import { PublishedState } from './published-state.js'
import type { RecoveryReport } from './recovery.js'
import type { JournalView, SharedJournal } from './shared-journal.js'

/**
 * Reads a database that another process may be writing, and never writes anything itself. It sees what the writer
 * has published in the watermark; if nobody is writing, what recovery would keep. When a pack has put another journal
 * in the place of the one that is read, it goes over to that.
 */
export class JournalFollower {
  readonly header: FileHeader
  readonly recovery: RecoveryReport
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #loadIndex: boolean
  readonly #blockCacheBytes: number | undefined
  readonly #changes = new ChangeRing()
  #journal: FollowedJournal
  /** A journal that was looked at and is not to be followed. */
  #refused: Uint8Array | undefined

  /** @throws CorruptionError, PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_NOT_FOUND`... */
  constructor(fileSystem: FileSystem, path: string, loadIndex: boolean, blockCacheBytes: number | undefined) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#loadIndex = loadIndex
    this.#blockCacheBytes = blockCacheBytes
    this.#journal = this.#open(new PublishedState(), 0, 0)
    this.#changes.forget(this.view.state.get('tid'))
    this.header = this.#journal.header
    this.recovery = this.#journal.recovery
  }

  #open(published: PublishedState, generation: number, countedTid: Tid): FollowedJournal {
    return new FollowedJournal({
      fileSystem: this.#fileSystem,
      path: this.#path,
      loadIndex: this.#loadIndex,
      blockCacheBytes: this.#blockCacheBytes,
      published,
      changes: this.#changes,
      generation,
      countedTid,
    })
  }

  /** Of the newest journal. */
  get view(): JournalView {
    return this.#journal.view
  }

  /** For threads of a pool, as long as the view is retained. */
  get shared(): SharedJournal {
    return this.#journal.shared
  }

  /** Takes in what has been published since the last call. */
  refresh(): void {
    this.#journal.refresh(() => this.#followReplacement())
  }

  /** Whether there is another journal in the place of this one. Goes over to it. */
  #followReplacement(): boolean {
    if (!this.#isReplaced()) return false
    const { view, shared } = this.#journal
    const next = this.#open(view.state.next(), shared.generation + 1, view.state.get('tid'))
    const tid = next.view.state.get('tid')
    // A copy of an older state, put there by hand: a handle must not see time run backwards.
    if (tid < view.state.get('tid')) {
      this.#refused = next.header.uuid
      next.close()
      return false
    }
    // What the pack has removed is told nowhere.
    this.#changes.forget(tid)
    this.#journal.retire()
    this.#journal = next
    return true
  }

  #isReplaced(): boolean {
    const found = this.#headerAtPath()
    if (found === undefined || isSame(found.uuid, this.#journal.header.uuid)) return false
    if (this.#refused !== undefined && isSame(found.uuid, this.#refused)) return false
    return isSame(found.databaseId, this.header.databaseId)
  }

  /** Undefined if there is no file: then the one that is open is the last there was. */
  #headerAtPath(): FileHeader | undefined {
    try {
      const file = this.#fileSystem.open(this.#path, 'read')
      try {
        return readFileHeader(file)
      } finally {
        file.close()
      }
    } catch (error) {
      if (error instanceof PerdureError && error.code === 'PERDURE_NOT_FOUND') return undefined
      throw error
    }
  }

  close(): void {
    this.#journal.close()
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

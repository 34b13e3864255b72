import { type CheckpointSource, CheckpointWriter } from '../journal/checkpoint.js'
import type { FileSystem } from '../journal/journal-file.js'
import { PAGE_ENTRIES } from '../journal/oid-index.js'
import type { JournalState } from '../journal/recovery.js'

export interface CheckpointScheduleOptions {
  readonly fileSystem: FileSystem
  /** Of the journal. */
  readonly path: string
  readonly uuid: Uint8Array
  readonly source: CheckpointSource
  /** Bytes of journal after which a new checkpoint is written. */
  readonly intervalBytes: number
  /** Offset of the journal that the checkpoint beside it covers; 0 if there is none. */
  readonly covered: number
}

/**
 * Decides when a checkpoint is due, and writes it a bit at a time. Nothing here ever fails: without a checkpoint
 * opening takes longer, but the journal is whole, and the next one may succeed.
 */
export class CheckpointSchedule {
  readonly #options: CheckpointScheduleOptions
  #writer: CheckpointWriter | undefined
  /** Offset of the journal from which on the next one is counted. */
  #covered: number

  constructor(options: CheckpointScheduleOptions) {
    this.#options = options
    this.#covered = options.covered
  }

  /** A checkpoint has been begun and not finished. */
  get isRunning(): boolean {
    return this.#writer !== undefined
  }

  /** Offset of the journal that the newest checkpoint covers. */
  get covered(): number {
    return this.#covered
  }

  /** Begins a checkpoint if it is time for one. */
  consider(state: JournalState): void {
    if (this.isRunning) return
    // Never more often than the index is large, or a huge index would be written over and over.
    const interval = Math.max(this.#options.intervalBytes, state.nextOid * 8)
    if (state.end - this.#covered >= interval) this.begin(state)
  }

  /** Begins a checkpoint of all there is, in place of one that is not finished. */
  begin({ end: covered, tid, time, nextOid, objects, checksum }: JournalState): void {
    this.abandon()
    const { fileSystem, path, uuid, source } = this.#options
    const pages = Math.ceil(nextOid / PAGE_ENTRIES)
    try {
      const begun = { uuid, covered, tid, time, nextOid, objects, pages, checksum }
      this.#writer = new CheckpointWriter(fileSystem, path, begun, source)
    } catch {
      this.#covered = covered
    }
  }

  /** Does a few milliseconds' worth of work on the one that was begun. Returns whether it is there now. */
  step({ end }: JournalState): boolean {
    const writer = this.#writer
    if (writer === undefined) return false
    try {
      if (!writer.step()) return false
      this.#covered = writer.covered
      this.#writer = undefined
      return true
    } catch {
      this.#covered = end
      this.abandon()
      return false
    }
  }

  /** Gives up one that is not finished. */
  abandon(): void {
    const writer = this.#writer
    this.#writer = undefined
    try {
      writer?.abandon()
    } catch {
      // What is left of it is removed when the next one is begun.
    }
  }
}

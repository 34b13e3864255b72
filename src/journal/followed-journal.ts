import type { Tid } from '../core/oid.js'
import type { ChangeRing } from './change-ring.js'
import type { CheckpointFile } from './checkpoint.js'
import { checksumSeed, type FileHeader } from './format.js'
import { chooseBase, makeIndex, readFileHeader } from './journal.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import type { OidIndex } from './oid-index.js'
import type { PublishedState } from './published-state.js'
import { type JournalState, type RecoveryReport, type ReplayResult, replay } from './recovery.js'
import { JournalScanner } from './scanner.js'
import { JournalView, type SharedJournal } from './shared-journal.js'
import { WatermarkReader } from './watermark.js'

/** How far a journal may be read, and how far it is surely on the disk. */
interface Visible {
  readonly end: number
  readonly durable: number
  /** A writer says so. Else nobody is writing to this journal, and all of it may be read. */
  readonly written: boolean
}

export interface FollowedJournalOptions {
  readonly fileSystem: FileSystem
  readonly path: string
  readonly loadIndex: boolean
  readonly blockCacheBytes: number | undefined
  readonly published: PublishedState
  readonly changes: ChangeRing
  /** Counted from 0. */
  readonly generation: number
  /** Commits up to this transaction have been counted. */
  readonly countedTid: Tid
}

/** One journal that another process may be writing: it is read as far as the writer lets others see. */
export class FollowedJournal {
  readonly view: JournalView
  readonly shared: SharedJournal
  readonly header: FileHeader
  readonly recovery: RecoveryReport
  readonly #fileSystem: FileSystem
  readonly #file: OpenFile
  readonly #index: OidIndex
  readonly #published: PublishedState
  readonly #changes: ChangeRing
  #state: JournalState
  #watermark: WatermarkReader | undefined
  #seenEnd = 0
  #countedTid: Tid

  /** @throws CorruptionError, PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_NOT_FOUND`... */
  constructor(options: FollowedJournalOptions) {
    const { fileSystem, path, loadIndex, blockCacheBytes, published, changes, generation } = options
    this.#fileSystem = fileSystem
    this.#published = published
    this.#changes = changes
    this.#file = fileSystem.open(path, 'read')
    let checkpoint: CheckpointFile | undefined
    try {
      this.header = readFileHeader(this.#file)
      const base = chooseBase(fileSystem, this.#file, this.header)
      checkpoint = base.checkpoint
      this.#index = makeIndex(fileSystem, this.#file, this.header, base, () => void published.add('indexRebuilds', 1))
      this.#state = base.state
      this.#countedTid = Math.max(options.countedTid, base.state.tid)
      const visible = this.#visible()
      const known = Math.max(visible.durable, base.durable)
      const { transactions, tornAt } = this.#replay(Math.max(visible.end, known), known)
      // After a power cut the watermark may be old. What the journal itself proves to be on the disk counts too.
      const proven = this.#provenEnd()
      if (proven > this.#state.end) this.#replay(proven, proven)
      this.recovery = {
        checkpoint: base.use,
        transactionsReplayed: transactions,
        cutAt: tornAt,
        cutBytes: 0,
        bytesRewritten: 0,
      }
      if (loadIndex) this.#index.loadAll()
      this.shared = {
        path,
        header: this.header,
        generation,
        covered: base.state.end,
        index: this.#index.memory,
        state: published.memory,
        changes: changes.memory,
      }
      this.view = new JournalView(this.#file, this.#index, this.shared, blockCacheBytes)
    } catch (error) {
      checkpoint?.close()
      this.#watermark?.close()
      this.#file.close()
      throw error
    }
  }

  /**
   * Takes in what has been published since the last call.
   *
   * @param isReplaced called if nobody is writing to this journal; if it says that another one has taken its place,
   *   nothing is done
   */
  refresh(isReplaced: () => boolean): void {
    const { end, durable, written } = this.#visible()
    if (!written && isReplaced()) return
    if (end === this.#seenEnd) return
    this.#seenEnd = end
    if (end > this.#state.end) this.#replay(end, durable)
  }

  #replay(end: number, durable: number): ReplayResult {
    const oids: number[] = []
    const tids: number[] = []
    const result = replay({
      journal: this.#file,
      header: this.header,
      from: this.#state,
      durable,
      limit: end,
      visit: ({ position, header, image }) => {
        this.#index.grow(header.nextOid)
        image.forEachRecord((oid, offset) => {
          this.#index.set(oid, position + offset)
          oids.push(oid)
          tids.push(header.tid)
        })
      },
    })
    this.#state = result.state
    this.#changes.append(oids, tids)
    const published = this.#published
    if (result.state.tid > this.#countedTid) published.add('commits', result.state.tid - this.#countedTid)
    this.#countedTid = Math.max(this.#countedTid, result.state.tid)
    published.set('objects', result.state.objects)
    published.raiseNextOid(result.state.nextOid)
    published.set('end', result.state.end)
    published.set('tid', result.state.tid)
    return result
  }

  /** How far the journal may be read. */
  #visible(): Visible {
    // The size is taken before the watermark is looked for: if there is none after that, nobody was writing then,
    // and what a writer that starts later will append lies behind this size. The watermark of another journal means
    // that a pack is making it take the place of this one, or has done so: nobody writes to this one any more.
    for (let isFresh = this.#watermark === undefined; ; isFresh = true) {
      const end = this.#file.size()
      this.#watermark ??= WatermarkReader.open(this.#fileSystem, this.#file.path)
      const mark = this.#watermark?.read(this.header.uuid)
      if (mark !== undefined && !mark.closed) return { end: mark.end, durable: mark.durable, written: true }
      this.#watermark?.close()
      this.#watermark = undefined
      // What was open from an earlier call may be of a writer that is long gone, and there may be another one.
      if (isFresh) return mark === undefined ? { end, durable: 0, written: false } : { ...mark, written: false }
    }
  }

  #provenEnd(): number {
    const scanner = new JournalScanner(this.#file, checksumSeed(this.header.uuid), this.#state.end, this.#file.size())
    let proven = 0
    for (let transaction = scanner.next(); transaction !== undefined; transaction = scanner.next()) {
      proven = Math.max(proven, transaction.header.durable)
    }
    return proven
  }

  /** Lets go of the journal. Who retains its view goes on reading it. */
  close(): void {
    this.#closeWatermark()
    this.view.release()
  }

  /** As {@link close}, when another journal has taken its place. */
  retire(): void {
    this.#closeWatermark()
    this.view.retire()
  }

  #closeWatermark(): void {
    this.#watermark?.close()
    this.#watermark = undefined
  }
}

import { ChangeRing } from './change-ring.js'
import type { CheckpointFile } from './checkpoint.js'
import { checksumSeed, type FileHeader } from './format.js'
import { chooseBase, makeIndex, readFileHeader } from './journal.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import type { OidIndex } from './oid-index.js'
import { PublishedState } from './published-state.js'
import { type JournalState, type RecoveryReport, type ReplayResult, replay } from './recovery.js'
import { JournalScanner } from './scanner.js'
import { JournalView, type SharedJournal } from './shared-journal.js'
import { WatermarkReader } from './watermark.js'

/** How far a journal may be read, and how far it is surely on the disk. */
interface Visible {
  readonly end: number
  readonly durable: number
}

/**
 * Reads a journal that another process may be writing, and never writes anything itself. It sees what the writer
 * has published in the watermark; if nobody is writing, what recovery would keep.
 */
export class JournalFollower {
  readonly view: JournalView
  readonly shared: SharedJournal
  readonly header: FileHeader
  readonly recovery: RecoveryReport
  readonly #fileSystem: FileSystem
  readonly #file: OpenFile
  readonly #index: OidIndex
  readonly #published = new PublishedState()
  readonly #changes = new ChangeRing()
  #state: JournalState
  #watermark: WatermarkReader | undefined
  #seenEnd = 0

  /** @throws CorruptionError, PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_NOT_FOUND`... */
  constructor(fileSystem: FileSystem, path: string, loadIndex: boolean, blockCacheBytes: number | undefined) {
    this.#fileSystem = fileSystem
    this.#file = fileSystem.open(path, 'read')
    let checkpoint: CheckpointFile | undefined
    try {
      this.header = readFileHeader(this.#file)
      const base = chooseBase(fileSystem, this.#file, this.header)
      const onRebuild = () => void this.#published.add('indexRebuilds', 1)
      this.#index = makeIndex(fileSystem, this.#file, this.header, base, onRebuild)
      checkpoint = base.checkpoint
      this.#state = base.state
      this.#changes.begin(base.state.tid)
      const visible = this.#visible()
      const known = Math.max(visible.durable, base.durable)
      const { transactions, tornAt } = this.#replay({ end: Math.max(visible.end, known), durable: known })
      // After a power cut the watermark may be old. What the journal itself proves to be on the disk counts too.
      const proven = this.#provenEnd()
      if (proven > this.#state.end) this.#replay({ end: proven, durable: proven })
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
        covered: base.state.end,
        index: this.#index.memory,
        state: this.#published.memory,
        changes: this.#changes.memory,
      }
      this.view = new JournalView(this.#file, this.header, this.#index, this.#published, this.#changes, blockCacheBytes)
    } catch (error) {
      checkpoint?.close()
      this.#watermark?.close()
      this.#file.close()
      throw error
    }
  }

  /** Takes in what has been published since the last call. */
  refresh(): void {
    const visible = this.#visible()
    if (visible.end === this.#seenEnd) return
    this.#seenEnd = visible.end
    if (visible.end > this.#state.end) this.#replay(visible)
  }

  #replay({ end, durable }: Visible): ReplayResult {
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
    published.add('commits', result.transactions)
    published.set('objects', result.state.objects)
    published.set('nextOid', result.state.nextOid)
    published.set('end', result.state.end)
    published.set('tid', result.state.tid)
    return result
  }

  /** How far the journal may be read. */
  #visible(): Visible {
    // The size is taken before the watermark is looked for: if there is none after that, nobody was writing then,
    // and what a writer that starts later will append lies behind this size.
    const end = this.#file.size()
    this.#watermark ??= WatermarkReader.open(this.#fileSystem, this.#file.path)
    const mark = this.#watermark?.read(this.header.uuid)
    if (mark === undefined || mark.closed) {
      this.#watermark?.close()
      this.#watermark = undefined
    }
    return mark ?? { end, durable: 0 }
  }

  #provenEnd(): number {
    const scanner = new JournalScanner(this.#file, checksumSeed(this.header.uuid), this.#state.end, this.#file.size())
    let proven = 0
    for (let transaction = scanner.next(); transaction !== undefined; transaction = scanner.next()) {
      proven = Math.max(proven, transaction.header.durable)
    }
    return proven
  }

  close(): void {
    this.#watermark?.close()
    this.#watermark = undefined
    this.view.release()
  }
}

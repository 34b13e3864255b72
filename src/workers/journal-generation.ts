import type { ChangeRing } from '../journal/change-ring.js'
import { checksumSeed } from '../journal/format.js'
import type { OpenJournal } from '../journal/journal.js'
import type { FileSystem, OpenFile } from '../journal/journal-file.js'
import type { OidIndex } from '../journal/oid-index.js'
import type { PublishedState } from '../journal/published-state.js'
import { JournalReader } from '../journal/reader.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import type { TailSource } from '../journal/tail-copier.js'
import { JournalWriter } from '../journal/writer.js'
import { CheckpointSchedule } from './checkpoint-schedule.js'
import { ConflictFinder } from './conflict-finder.js'
import type { CoordinatorSettings } from './messages.js'
import { RemovalFinder } from './removal-finder.js'

/** The coordinator reads only to validate old snapshots and to name conflicts, so it needs little cache. */
const READER_CACHE_BYTES = 256 * 1024

export interface GenerationOptions {
  readonly fileSystem: FileSystem
  readonly settings: CoordinatorSettings
  readonly journal: Omit<OpenJournal, 'report'>
  readonly published: PublishedState
  readonly changes: ChangeRing
  /** Counted from 0. */
  readonly generation: number
  /** Offset of the journal that the checkpoint beside it covers; 0 if there is none. */
  readonly checkpointCovered: number
  /** Returns the end of the journal, having made sure that every byte before it is on the disk. */
  readonly syncedEnd: () => number
}

/** All that belongs to one journal while it is written. When a pack has made a new one, that gets its own. */
export class JournalGeneration implements TailSource {
  readonly file: OpenFile
  readonly uuid: Uint8Array
  /** With which the checksums of its transaction headers begin. */
  readonly seed: number
  readonly index: OidIndex
  readonly reader: JournalReader
  readonly writer: JournalWriter
  readonly conflicts: ConflictFinder
  readonly removals: RemovalFinder
  readonly checkpoints: CheckpointSchedule
  readonly published: PublishedState
  readonly shared: SharedJournal

  constructor({ fileSystem, settings, journal, published, changes, ...options }: GenerationOptions) {
    const { file, header, index, state, covered } = journal
    const { path, preallocationBytes, checkpointBytes } = settings
    this.file = file
    this.uuid = header.uuid
    this.seed = checksumSeed(header.uuid)
    this.index = index
    this.reader = new JournalReader(file, () => published.get('end'), READER_CACHE_BYTES)
    this.writer = new JournalWriter(file, state.end, preallocationBytes)
    this.conflicts = new ConflictFinder(index, this.reader)
    this.conflicts.remember(state.tid, state.end)
    this.removals = new RemovalFinder(index, changes)
    this.checkpoints = new CheckpointSchedule({
      fileSystem,
      path,
      uuid: header.uuid,
      source: { copyPage: (page, target) => index.copyPage(page, target), syncedEnd: options.syncedEnd },
      intervalBytes: checkpointBytes,
      covered: options.checkpointCovered,
    })
    this.published = published
    published.set('objects', state.objects)
    published.set('end', state.end)
    published.set('tid', state.tid)
    this.shared = {
      path,
      header,
      generation: options.generation,
      covered,
      index: index.memory,
      state: published.memory,
      changes: changes.memory,
    }
  }

  /** Lets go of the file. Those who still read it have it open themselves. */
  close(): void {
    this.index.close()
    this.file.close()
  }

  /** As {@link close}, when another journal has taken its place, so that the file may have to be freed. */
  retire(): void {
    this.index.close()
    this.file.closeLater()
  }
}

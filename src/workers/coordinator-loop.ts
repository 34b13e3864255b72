import { PerdureError, packError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { ChangeRing } from '../journal/change-ring.js'
import { checksumSeed } from '../journal/format.js'
import { type OpenJournal, openForWriting } from '../journal/journal.js'
import type { FileSystem } from '../journal/journal-file.js'
import { PublishedState } from '../journal/published-state.js'
import { JournalReader } from '../journal/reader.js'
import { countNewObjects, type JournalState, type RecoveryReport } from '../journal/recovery.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { TransactionImage } from '../journal/transaction.js'
import { WatermarkWriter } from '../journal/watermark.js'
import { JournalWriter } from '../journal/writer.js'
import { CheckpointSchedule } from './checkpoint-schedule.js'
import { type Accepted, CommitBatch } from './commit-batch.js'
import { ConflictFinder } from './conflict-finder.js'
import type { CommitOutcome, CoordinatorSettings } from './messages.js'
import { RemovalFinder } from './removal-finder.js'

/** The coordinator reads only to validate old snapshots and to name conflicts, so it needs little cache. */
const READER_CACHE_BYTES = 256 * 1024

/** Objects may be given oids that were not allocated, as long as they are not further ahead than this. */
const STRAY_OIDS = 2 ** 20

/** One transaction that waits for its outcome. */
export interface PendingCommit {
  readonly base: Tid
  readonly reads: readonly Oid[]
  readonly image: Uint8Array<ArrayBuffer> | undefined
  /** Called once, after the outcome is final and visible to all. */
  readonly answer: (outcome: CommitOutcome) => void
}

/**
 * Decides the order of commits and writes them. It knows nothing of threads: messages, wake-ups and ports are
 * the business of coordinator.ts, so tests can run it on a simulated disk.
 */
export class CoordinatorLoop {
  readonly shared: SharedJournal
  readonly recovery: RecoveryReport
  readonly #settings: CoordinatorSettings
  readonly #journal: OpenJournal
  readonly #writer: JournalWriter
  readonly #conflicts: ConflictFinder
  readonly #removals: RemovalFinder
  readonly #published = new PublishedState()
  readonly #changes = new ChangeRing()
  readonly #watermark: WatermarkWriter
  readonly #checkpoints: CheckpointSchedule
  readonly #seed: number
  #state: JournalState
  #poison: PerdureError | undefined

  /** @throws what {@link openForWriting} throws */
  constructor(fileSystem: FileSystem, settings: CoordinatorSettings) {
    this.#settings = settings
    const published = this.#published
    const journal = openForWriting(fileSystem, settings.path, () => published.add('indexRebuilds', 1))
    this.#journal = journal
    this.recovery = journal.report
    this.#state = journal.state
    this.#checkpoints = new CheckpointSchedule({
      fileSystem,
      path: settings.path,
      uuid: journal.header.uuid,
      source: {
        copyPage: (page, target) => journal.index.copyPage(page, target),
        syncedEnd: () => this.#syncedEnd(),
      },
      intervalBytes: settings.checkpointBytes,
      covered: journal.report.checkpoint === 'used' ? journal.covered : 0,
    })
    this.#seed = checksumSeed(journal.header.uuid)
    this.#writer = new JournalWriter(journal.file, journal.state.end, settings.preallocationBytes)
    const reader = new JournalReader(journal.file, () => published.get('end'), READER_CACHE_BYTES)
    this.#conflicts = new ConflictFinder(journal.index, reader)
    this.#removals = new RemovalFinder(journal.index, this.#changes)
    if (settings.loadIndex) journal.index.loadAll()
    this.#conflicts.remember(journal.state.tid, journal.state.end)
    this.#changes.begin(journal.state.tid)
    // Oid 0 is the root's and never handed out.
    published.raiseNextOid(Math.max(1, journal.state.nextOid))
    published.set('objects', journal.state.objects)
    published.set('end', journal.state.end)
    published.set('tid', journal.state.tid)
    this.#watermark = new WatermarkWriter(fileSystem, settings.path, journal.header.uuid)
    this.#watermark.publish(journal.state.end, journal.state.end)
    this.shared = {
      path: settings.path,
      header: journal.header,
      covered: journal.covered,
      index: journal.index.memory,
      state: published.memory,
      changes: this.#changes.memory,
    }
  }

  /** Validates the commits in order, stores those that pass with one write and one sync, and answers all. */
  runBatch(batch: readonly PendingCommit[]): void {
    const refusal = this.#poison ?? this.#run(batch)
    if (refusal !== undefined) refuseAll(batch, refusal)
    else if (this.#poison === undefined) this.#checkpoints.consider(this.#state)
  }

  /** Returns why nothing of the batch has been stored, if that is so. */
  #run(batch: readonly PendingCommit[]): PerdureError | undefined {
    const accepted: Accepted[] = []
    const outcomes = new CommitBatch(this.#state.tid, this.#writer.end, accepted)
    const results = batch.map((commit) => this.#validate(commit, outcomes))
    try {
      this.#store(accepted)
    } catch (error) {
      return this.#poisonWith(error)
    }
    this.#publish(accepted)
    const conflicts = results.reduce((count, outcome) => count + (outcome.conflicts === undefined ? 0 : 1), 0)
    if (conflicts > 0) this.#published.add('conflicts', conflicts)
    batch.forEach((commit, i) => {
      commit.answer(results[i] as CommitOutcome)
    })
    return undefined
  }

  #validate(commit: PendingCommit, batch: CommitBatch): CommitOutcome {
    try {
      const { base, reads } = commit
      if (base > batch.tid) {
        throw new PerdureError('PERDURE_ARGUMENT', `No snapshot can have tid ${base}: the newest is ${batch.tid}.`)
      }
      const image = commit.image === undefined ? undefined : new TransactionImage(commit.image)
      const conflicts = this.#conflicts.find(base, reads, image, this.#state.tid, batch)
      if (conflicts.length > 0) return { conflicts }
      if (image === undefined) return { tid: base }
      const removed = this.#removals.find(base, image, this.#state.tid, batch)
      if (removed.length > 0) return { conflicts: removed }
      return { tid: this.#accept(image, batch) }
    } catch (error) {
      return { error: packError(error) }
    }
  }

  #accept(image: TransactionImage, batch: CommitBatch): Tid {
    const { index } = this.#journal
    let nextOid = batch.nextOid(this.#state.nextOid)
    image.forEachRecord((oid) => {
      if (oid >= nextOid) nextOid = oid + 1
    })
    // Before anything is accepted, so that an impossible oid refuses this transaction only.
    this.#checkOid(nextOid - 1)
    index.grow(nextOid)
    const stamp = {
      position: batch.end,
      tid: batch.tid + 1,
      time: batch.now(this.#state.time),
      durable: this.#writer.durable,
      nextOid,
      seed: this.#seed,
    }
    image.stamp(stamp, (oid) => batch.offsetOf(oid) ?? index.get(oid))
    batch.add(image, nextOid)
    return stamp.tid
  }

  /** The index is an array: one stray oid would make it, and each checkpoint, as large as that. */
  #checkOid(oid: Oid): void {
    const allocated = this.#published.get('nextOid')
    if (oid < allocated + STRAY_OIDS) return
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `Oid ${oid} has never been allocated: the next one is ${allocated}. Get oids from allocateOids().`,
      { details: { oid } },
    )
  }

  #store(accepted: readonly Accepted[]): void {
    if (accepted.length === 0) return
    this.#writer.append(accepted.map(({ image }) => image.bytes))
    if (this.#settings.durability === 'fsync') {
      this.#writer.sync()
      this.#published.add('syncs', 1)
    }
  }

  #publish(accepted: readonly Accepted[]): void {
    const last = accepted.at(-1)
    if (last === undefined) return
    const published = this.#published
    const { index } = this.#journal
    const oids: Oid[] = []
    const tids: Tid[] = []
    let objects = 0
    for (const { image, position, tid } of accepted) {
      image.forEachRecord((oid, offset) => {
        index.set(oid, position + offset)
        oids.push(oid)
        tids.push(tid)
      })
      objects += countNewObjects(image)
      this.#conflicts.remember(tid, position + image.bytes.length)
    }
    this.#changes.append(oids, tids)
    this.#state = stateOf(last, this.#state.objects + objects)
    published.raiseNextOid(this.#state.nextOid)
    published.set('objects', this.#state.objects)
    published.add('commits', accepted.length)
    published.add('batches', 1)
    if (accepted.length > published.get('largestBatch')) published.set('largestBatch', accepted.length)
    published.set('end', this.#state.end)
    published.set('tid', this.#state.tid)
    this.#publishToProcesses()
  }

  #publishToProcesses(): void {
    try {
      this.#watermark.publish(this.#state.end, this.#writer.durable)
    } catch (error) {
      // This batch is safe and is acknowledged, but readers in other processes would miss what follows.
      this.#poisonWith(error)
    }
  }

  /** Whether {@link work} has something to do. */
  get hasWork(): boolean {
    return this.#checkpoints.isRunning
  }

  /** Does a few milliseconds' worth of work that can wait, between batches. */
  work(): void {
    if (this.#checkpoints.step(this.#state)) this.#published.add('checkpoints', 1)
  }

  #syncedEnd(): number {
    try {
      this.#writer.sync()
    } catch (error) {
      throw this.#poisonWith(error)
    }
    return this.#writer.end
  }

  /** From now on all commits are refused. What has been written without an answer is taken back. */
  #poisonWith(error: unknown): PerdureError {
    if (this.#poison !== undefined) return this.#poison
    const reason = error instanceof Error ? error.message : String(error)
    const { path } = this.#settings
    this.#writer.discard(this.#state.end)
    // To finish it would mean to sync the journal once more, and to say that all of it was safe.
    this.#checkpoints.abandon()
    this.#poison = new PerdureError(
      'PERDURE_POISONED',
      `${path} takes no more commits until it has been opened again, because: ${reason}`,
      { details: { path }, cause: error },
    )
    return this.#poison
  }

  /**
   * Writes a checkpoint of all, and closes the journal.
   *
   * @throws PerdureError if what was committed with durability 'os' could not be synced
   */
  close(): void {
    this.#checkpoints.abandon()
    try {
      if (this.#poison === undefined) this.#closeInOrder()
      else this.#watermark.abandon()
    } finally {
      this.#journal.index.close()
      this.#journal.file.close()
    }
  }

  #closeInOrder(): void {
    try {
      this.#syncedEnd()
      if (this.#checkpoints.covered !== this.#state.end || this.#published.get('indexRebuilds') > 0) {
        this.#checkpoints.begin(this.#state)
        while (this.hasWork) this.work()
      }
      this.#writer.trim()
    } catch (error) {
      this.#watermark.abandon()
      throw error
    }
    this.#watermark.close(this.#state.end)
  }
}

function stateOf({ image, position, tid }: Accepted, objects: number): JournalState {
  const { time, nextOid, checksum } = image.summary()
  return { end: position + image.bytes.length, tid, time, nextOid, objects, checksum }
}

function refuseAll(batch: readonly PendingCommit[], error: PerdureError): void {
  const outcome = {
    error: packError(error),
    cause: error.cause === undefined ? undefined : packError(error.cause),
  }
  for (const commit of batch) commit.answer(outcome)
}

import { PerdureError, packError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { ChangeRing } from '../journal/change-ring.js'
import { FILE_HEADER_BYTES } from '../journal/format.js'
import { openForWriting } from '../journal/journal.js'
import type { FileSystem } from '../journal/journal-file.js'
import { NO_PAGES, OidIndex } from '../journal/oid-index.js'
import type { SwitchOutcome, SwitchRequest } from '../journal/packed-base.js'
import { PublishedState } from '../journal/published-state.js'
import { countNewObjects, type JournalState, type RecoveryReport } from '../journal/recovery.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { WatermarkWriter } from '../journal/watermark.js'
import { type Accepted, CommitBatch } from './commit-batch.js'
import { type PendingCommit, validateCommit } from './commit-validator.js'
import { type GenerationOptions, JournalGeneration } from './journal-generation.js'
import { type CompletePack, takePlace } from './journal-switch.js'
import type { CommitOutcome, CoordinatorSettings } from './messages.js'

/**
 * Decides the order of commits and writes them. It knows nothing of threads: messages, wake-ups and ports are
 * the business of coordinator.ts, so tests can run it on a simulated disk.
 */
export class CoordinatorLoop {
  readonly recovery: RecoveryReport
  readonly #fileSystem: FileSystem
  readonly #settings: CoordinatorSettings
  readonly #changes = new ChangeRing()
  readonly #watermark: WatermarkWriter
  #journal: JournalGeneration
  #state: JournalState
  #poison: PerdureError | undefined

  /** @throws what {@link openForWriting} throws */
  constructor(fileSystem: FileSystem, settings: CoordinatorSettings) {
    this.#fileSystem = fileSystem
    this.#settings = settings
    const published = new PublishedState()
    const journal = openForWriting(fileSystem, settings.path, () => published.add('indexRebuilds', 1))
    const { state, index, report } = journal
    this.recovery = report
    this.#state = state
    if (settings.loadIndex) index.loadAll()
    this.#changes.forget(state.tid)
    // Oid 0 is the root's and never handed out.
    published.raiseNextOid(Math.max(1, state.nextOid))
    const checkpointCovered = report.checkpoint === 'used' ? journal.covered : 0
    this.#journal = this.#generation({ journal, published, generation: 0, checkpointCovered })
    this.#watermark = new WatermarkWriter(fileSystem, settings.path, journal.header.uuid)
    this.#watermark.publish(state.end, state.end)
  }

  #generation(
    options: Pick<GenerationOptions, 'journal' | 'published' | 'generation' | 'checkpointCovered'>,
  ): JournalGeneration {
    return new JournalGeneration({
      ...options,
      fileSystem: this.#fileSystem,
      settings: this.#settings,
      changes: this.#changes,
      syncedEnd: () => this.#syncedEnd(),
    })
  }

  /** What others need to read the newest journal. */
  get shared(): SharedJournal {
    return this.#journal.shared
  }

  get #published(): PublishedState {
    return this.#journal.published
  }

  /** Validates the commits in order, stores those that pass with one write and one sync, and answers all. */
  runBatch(batch: readonly PendingCommit[]): void {
    const refusal = this.#poison ?? this.#run(batch)
    if (refusal !== undefined) refuseAll(batch, refusal)
    else if (this.#poison === undefined) this.#journal.checkpoints.consider(this.#state)
  }

  /** Returns why nothing of the batch has been stored, if that is so. */
  #run(batch: readonly PendingCommit[]): PerdureError | undefined {
    const accepted: Accepted[] = []
    const outcomes = new CommitBatch(this.#state.tid, this.#journal.writer.end, accepted)
    const results = batch.map((commit) => validateCommit(this.#journal, this.#state, commit, outcomes))
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

  #store(accepted: readonly Accepted[]): void {
    if (accepted.length === 0) return
    this.#journal.writer.append(accepted.map(({ image }) => image.bytes))
    if (this.#settings.durability === 'fsync') {
      this.#journal.writer.sync()
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
      this.#journal.conflicts.remember(tid, position + image.bytes.length)
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
      this.#watermark.publish(this.#state.end, this.#journal.writer.durable)
    } catch (error) {
      // This batch is safe and is acknowledged, but readers in other processes would miss what follows.
      this.#poisonWith(error)
    }
  }

  /**
   * Puts a packed journal in the place of the one that is written. To be called between batches. Snapshots that are
   * open go on reading the old one.
   *
   * @throws PerdureError why not. Either nothing has changed, and the new file is gone; or the new journal is in its
   *   place and nothing more can be committed to it, with `PERDURE_POISONED`.
   */
  switchTo(request: SwitchRequest): SwitchOutcome {
    if (this.#poison !== undefined) throw this.#poison
    const { path } = this.#settings
    const old = { path, source: this.#journal, end: this.#state.end, sync: () => this.#syncedEnd() }
    const pack = takePlace(this.#fileSystem, old, request)
    if (!('copied' in pack)) return { switched: false, ...pack }
    try {
      this.#begin(request, pack)
    } catch (error) {
      throw this.#poisonWith(error)
    }
    return { switched: true, tid: this.#state.tid, state: this.#state }
  }

  /** Goes on with the new journal, which has its place already: what fails now leaves nothing to be written to. */
  #begin({ base, removed }: SwitchRequest, { copied, state, checkpointCovered }: CompletePack): void {
    const { path } = this.#settings
    this.#fileSystem.syncDirectory(path)
    const file = this.#fileSystem.open(path, 'write')
    this.#watermark.follow(base.header.uuid, state.end)
    const old = this.#journal
    old.checkpoints.abandon()
    const index = new OidIndex(base.index, NO_PAGES)
    index.grow(state.nextOid)
    // What the pack has removed counts as changed by its own transaction.
    this.#changes.remove(
      removed?.filter((oid) => index.get(oid) === 0),
      state.tid,
    )
    this.#journal = this.#generation({
      journal: { file, header: base.header, index, state, covered: FILE_HEADER_BYTES },
      published: old.published.next(),
      generation: old.shared.generation + 1,
      checkpointCovered,
    })
    // Most transactions under way have begun here: nothing of theirs need be read to see that it has not changed.
    this.#journal.conflicts.remember(copied.tid, copied.end)
    this.#state = state
    if (checkpointCovered === 0) this.#journal.checkpoints.begin(state)
    old.retire()
  }

  /** Whether {@link work} has something to do. */
  get hasWork(): boolean {
    return this.#journal.checkpoints.isRunning
  }

  /** Does a few milliseconds' worth of work that can wait, between batches. */
  work(): void {
    if (this.#journal.checkpoints.step(this.#state)) this.#published.add('checkpoints', 1)
  }

  #syncedEnd(): number {
    try {
      this.#journal.writer.sync()
    } catch (error) {
      throw this.#poisonWith(error)
    }
    return this.#journal.writer.end
  }

  /** From now on all commits are refused. What has been written without an answer is taken back. */
  #poisonWith(error: unknown): PerdureError {
    if (this.#poison !== undefined) return this.#poison
    const reason = error instanceof Error ? error.message : String(error)
    const { path } = this.#settings
    this.#journal.writer.discard(this.#state.end)
    // To finish it would mean to sync the journal once more, and to say that all of it was safe.
    this.#journal.checkpoints.abandon()
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
    this.#journal.checkpoints.abandon()
    try {
      if (this.#poison === undefined) this.#closeInOrder()
      else this.#watermark.abandon()
    } finally {
      this.#journal.close()
    }
  }

  #closeInOrder(): void {
    try {
      this.#syncedEnd()
      if (this.#journal.checkpoints.covered !== this.#state.end || this.#published.get('indexRebuilds') > 0) {
        this.#journal.checkpoints.begin(this.#state)
        while (this.hasWork) this.work()
      }
      this.#journal.writer.trim()
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

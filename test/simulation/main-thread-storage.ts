import type { Oid, Tid } from '../../src/core/oid.js'
import type { CommitRequest, Snapshot, StoredRecord } from '../../src/core/storage.js'
import type { FileSystem } from '../../src/journal/journal-file.js'
import type { SwitchOutcome, SwitchRequest } from '../../src/journal/packed-base.js'
import type { RecoveryReport } from '../../src/journal/recovery.js'
import type { JournalView } from '../../src/journal/shared-journal.js'
import { layOutTransaction } from '../../src/journal/transaction.js'
import type { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import type { TaskRunner } from '../../src/workers/each-range.js'
import type { CommitOutcome, CoordinatorSettings } from '../../src/workers/messages.js'
import type { PackSettings } from '../../src/workers/pack.js'
import { type Engine, realEngine } from './engine.js'
import { SteppedPack } from './stepped-pack.js'

/** A simulated file cannot be read by other threads. */
const noThreads: TaskRunner = { size: 1, run: () => Promise.reject(new Error('There is no other thread.')) }

/** Of one handle; a simulated file is small. */
const BLOCK_CACHE_BYTES = 64 * 1024

/**
 * A FileStorage without its thread: the coordinator's loop runs where it is called, on any file system. It does
 * what OwnerBackend and the thread's entry do, less the lock and the messages.
 */
export class MainThreadStorage {
  readonly recovery: RecoveryReport
  view: JournalView
  readonly #fileSystem: FileSystem
  readonly #engine: Engine
  readonly #loop: CoordinatorLoop
  readonly #handle = { closed: false, loads: 0, pool: noThreads }

  constructor(fileSystem: FileSystem, settings: CoordinatorSettings, engine = realEngine) {
    if (!fileSystem.exists(settings.path)) engine.createJournal(fileSystem, settings.path, 'msgpack')
    this.#fileSystem = fileSystem
    this.#engine = engine
    this.#loop = new engine.CoordinatorLoop(fileSystem, settings)
    this.recovery = this.#loop.recovery
    this.view = engine.JournalView.attach(fileSystem, this.#loop.shared, BLOCK_CACHE_BYTES)
  }

  get tid(): Tid {
    return this.view.state.get('tid')
  }

  snapshot(tid = this.tid): Snapshot {
    return new this.#engine.FileSnapshot(this.view, tid, this.#handle)
  }

  load(oid: Oid, tid = this.tid): StoredRecord | undefined {
    const snapshot = this.snapshot(tid)
    try {
      return snapshot.load(oid)
    } finally {
      snapshot.release()
    }
  }

  /** Runs commits, of several connections as it were, as one batch. Calls `onAnswer` as each is answered. */
  commit(
    batch: readonly CommitRequest[],
    onAnswer: (position: number, outcome: CommitOutcome) => void = () => {},
  ): CommitOutcome[] {
    const outcomes: CommitOutcome[] = []
    this.#loop.runBatch(
      batch.map(({ base, reads, writes, note }, position) => ({
        base,
        reads,
        image: writes.length === 0 ? undefined : layOutTransaction(writes, note === undefined ? {} : { note }),
        answer: (outcome) => {
          outcomes[position] = outcome
          onAnswer(position, outcome)
        },
      })),
    )
    return outcomes
  }

  /**
   * Begins a pack.
   *
   * @param switchTo called when the packed journal is to take the place of the old one, to call {@link switchTo}
   */
  pack(settings: PackSettings, switchTo = (request: SwitchRequest) => this.switchTo(request)): SteppedPack {
    const { state } = this.view
    const host = { shared: this.#loop.shared, published: (name: 'end' | 'objects') => state.get(name), switchTo }
    return new SteppedPack(this.#engine, this.#fileSystem, host, settings)
  }

  /** Puts a packed journal in the place of the old one. Snapshots that are open keep that. */
  switchTo(request: SwitchRequest): SwitchOutcome {
    const outcome = this.#loop.switchTo(request)
    if (outcome.switched) {
      this.view.release()
      this.view = this.#engine.JournalView.attach(this.#fileSystem, this.#loop.shared, BLOCK_CACHE_BYTES)
    }
    return outcome
  }

  get hasWork(): boolean {
    return this.#loop.hasWork
  }

  /** Does a bit of what the coordinator does between batches. */
  work(): void {
    if (this.#loop.hasWork) this.#loop.work()
  }

  /** Closes in good order. A process that is killed does not. */
  close(): void {
    this.#handle.closed = true
    this.view.release()
    this.#loop.close()
  }
}

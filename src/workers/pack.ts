import type { PackOptions, PackProgress, PackResult } from '../core/storage.js'
import type { FileSystem } from '../journal/journal-file.js'
import type { PackedBase, SwitchOutcome, SwitchRequest, TailProgress } from '../journal/packed-base.js'
import { RetainedHistory } from '../journal/retention.js'
import { openShared, type SharedJournal } from '../journal/shared-journal.js'
import { carriesTooMuch } from '../journal/tail-copier.js'
import type { TaskRunner } from './each-range.js'
import { type MadeBase, makeBase, type PackSubject } from './pack-base.js'
import { discardPack } from './pack-checkpoint.js'
import { PackClock } from './pack-clock.js'
import type { PackTailTask } from './pack-tasks.js'

/** Commits wait while at most so many bytes are copied; more if they come faster than they are copied. */
const SWITCH_BYTES = 256 * 1024

/** Memory for the tables of a pack, unless said otherwise. */
export const DEFAULT_MEMORY_BYTES = 1024 * 1024 * 1024

/** If a commit brings back more garbage than it can carry, the pack begins anew: so many times in all. */
const ATTEMPTS = 3

/** The storage that is packed: its journal, and who writes it. */
export interface PackHost {
  readonly shared: SharedJournal
  /** Published end of the journal, and how many objects there are. */
  published(name: 'end' | 'objects'): number
  /** Has the journal replaced by the packed one. */
  switchTo(request: SwitchRequest): Promise<SwitchOutcome>
}

/** Options of {@link packJournal}, besides those for users. */
export interface PackSettings extends Omit<PackOptions, 'signal'> {
  readonly memoryBytes?: number | undefined
  /** Given by tests. */
  readonly tuning?: Pick<PackSubject, 'rangeBytes' | 'transactionBytes'> & {
    readonly switchBytes?: number
    readonly largestBytes?: number
  }
}

/**
 * Packs the journal of an open storage, while it is in use. If anything fails, the old journal stays in use and the
 * new file is removed.
 *
 * @throws CorruptionError if a record that is to be kept is damaged; PerdureError `PERDURE_HISTORY`,
 *   `PERDURE_ARGUMENT`, `PERDURE_NO_SPACE`, `PERDURE_IO`, `PERDURE_LIMIT`, `PERDURE_THREAD`; the reason of the signal
 */
export async function packJournal(
  fileSystem: FileSystem,
  pool: TaskRunner,
  host: PackHost,
  settings: PackSettings,
  signal: AbortSignal,
): Promise<PackResult> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await new Pack(fileSystem, pool, host, settings, signal).run()
    } catch (error) {
      if (attempt === ATTEMPTS || !carriesTooMuch(error)) throw error
    }
  }
}

class Pack {
  readonly #fileSystem: FileSystem
  readonly #pool: TaskRunner
  readonly #host: PackHost
  readonly #settings: PackSettings
  readonly #signal: AbortSignal
  readonly #subject: PackSubject
  readonly #clock: PackClock
  readonly #objectsBefore: number
  #switchBytes: number

  constructor(fileSystem: FileSystem, pool: TaskRunner, host: PackHost, settings: PackSettings, signal: AbortSignal) {
    this.#fileSystem = fileSystem
    this.#pool = pool
    this.#host = host
    this.#settings = settings
    this.#signal = signal
    this.#switchBytes = settings.tuning?.switchBytes ?? SWITCH_BYTES
    this.#objectsBefore = host.published('objects')
    this.#subject = this.#chooseSubject()
    const { newest, from } = this.#subject
    this.#clock = new PackClock(newest.end, newest.end - from.end, this.#objectsBefore)
  }

  #chooseSubject(): PackSubject {
    const { retain, memoryBytes = DEFAULT_MEMORY_BYTES, tuning = {} } = this.#settings
    const { shared } = this.#host
    const file = openShared(this.#fileSystem, shared)
    try {
      const history = new RetainedHistory(file, shared.header, this.#host.published('end'))
      return { shared, from: history.from(retain), newest: history.newest, memoryBytes, ...tuning }
    } finally {
      file.close()
    }
  }

  async run(): Promise<PackResult> {
    const made = await makeBase(this.#fileSystem, this.#pool, this.#subject, this.#signal, (p) => this.#report(p))
    try {
      return await this.#finish(made)
    } catch (error) {
      discardPack(this.#fileSystem, made.base.path)
      throw error
    }
  }

  async #finish({ base, removed }: MadeBase): Promise<PackResult> {
    const keepOld = this.#settings.keepOld ?? false
    let copied = await this.#catchUp(base)
    const checkpointCovered = await this.#pool.run<PackedBase, number | undefined>('packCheckpoint', copied)
    for (;;) {
      copied = await this.#catchUp(copied)
      const maxTailBytes = this.#switchBytes
      this.#report({ phase: 'switch', ...this.#totals(copied) })
      this.#signal.throwIfAborted()
      const bytesBefore = this.#host.published('end')
      const outcome = await this.#host.switchTo({ base: copied, keepOld, maxTailBytes, removed, checkpointCovered })
      if (outcome.switched) {
        this.#reportEnd({ ...copied, state: outcome.state })
        return {
          objectsBefore: Math.max(this.#objectsBefore, outcome.state.objects),
          objectsAfter: outcome.state.objects,
          bytesBefore,
          bytesAfter: outcome.state.end,
          historyFrom: base.header.historyFrom,
        }
      }
      copied = { ...copied, state: outcome.state, sourceEnd: outcome.sourceEnd }
      this.#switchBytes *= 2
    }
  }

  /** Copies what has been committed meanwhile, until what is left is little. */
  async #catchUp(base: PackedBase): Promise<PackedBase> {
    const { shared } = this.#host
    const { largestBytes } = this.#settings.tuning ?? {}
    let copied = base
    let leftBefore = Number.POSITIVE_INFINITY
    for (;;) {
      this.#signal.throwIfAborted()
      const to = this.#host.published('end')
      const left = to - copied.sourceEnd
      if (left <= this.#switchBytes) return copied
      // Commits that come faster than they are copied must wait a little longer, or this would never end.
      if (left >= leftBefore) this.#switchBytes *= 2
      leftBefore = left
      this.#report({ phase: 'catch-up', ...this.#totals(copied) })
      const task = { shared, base: copied, to, largestBytes }
      const progress = await this.#pool.run<PackTailTask, TailProgress>('packTail', task)
      copied = { ...copied, ...progress }
    }
  }

  #totals({ state, sourceEnd }: PackedBase): Omit<PackProgress, 'phase' | 'remainingMs'> {
    const { end } = this.#subject.from
    const bytesTotal = this.#host.published('end') - end
    return { objects: state.objects, objectsTotal: state.objects, bytes: sourceEnd - end, bytesTotal }
  }

  #reportEnd(base: PackedBase): void {
    try {
      this.#report({ phase: 'switch', ...this.#totals(base) })
    } catch {
      // To reject for what the user's function throws now would mean that nothing had been packed.
    }
  }

  #report(progress: Omit<PackProgress, 'remainingMs'>): void {
    this.#settings.onProgress?.({ ...progress, remainingMs: this.#clock.remainingMs(progress) })
  }
}

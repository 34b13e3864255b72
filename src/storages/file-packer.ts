import { PerdureError } from '../core/errors.js'
import type { PackResult } from '../core/storage.js'
import { FILE_HEADER_BYTES } from '../journal/format.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import type { JournalView } from '../journal/shared-journal.js'
import { complete } from '../journal/transaction-finder.js'
import type { WorkerPool } from '../workers/pool.js'
import { type FileBackend, OwnerBackend, ReadonlyBackend } from './file-backend.js'
import { checkPackOptions, type FilePackOptions } from './pack-options.js'

/** What of {@link FilePacker} is shown among the statistics of a storage. */
export interface PackStatistics {
  readonly [name: string]: number
  /** Packs by this handle. */
  readonly packs: number
  /** The oldest transaction as of which the storage can be read. */
  readonly historyFrom: number
  /** When the file was made, by a pack or otherwise, in ms since 1970. */
  readonly packedAt: number
  /** Bytes that have been committed since then. */
  readonly bytesSincePack: number
}

/** The packs of one handle of a file: one at a time. */
export class FilePacker {
  readonly #backend: FileBackend
  readonly #pool: WorkerPool
  readonly #closing = new AbortController()
  #running: Promise<unknown> | undefined
  #packs = 0
  /** Where the transactions begin that have been committed since the file was made, and which file that is. */
  #fresh: { readonly uuid: Uint8Array; readonly end: number } | undefined

  constructor(backend: FileBackend, pool: WorkerPool) {
    this.#backend = backend
    this.#pool = pool
  }

  async pack(options: FilePackOptions): Promise<PackResult> {
    checkPackOptions('pack', options)
    const owner = this.#owner()
    options.signal?.throwIfAborted()
    if (this.#running !== undefined) throw busy(owner.path)
    const pack = this.#pack(owner, options)
    this.#running = pack.catch(() => {})
    try {
      return await pack
    } finally {
      this.#running = undefined
    }
  }

  #owner(): OwnerBackend {
    const backend = this.#backend
    if (backend instanceof OwnerBackend) return backend
    if (backend instanceof ReadonlyBackend) {
      throw new PerdureError('PERDURE_READONLY', `${backend.path} was opened readonly, so it cannot be packed here.`)
    }
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      `Only the handle that opened ${backend.path} can pack it, not one that another thread shares. Ask its thread.`,
    )
  }

  async #pack(owner: OwnerBackend, { signal, threads, ...settings }: FilePackOptions): Promise<PackResult> {
    // Loaded only when it is needed.
    const { packJournal } = await import('../workers/pack.js')
    const pool = this.#pool
    const size = threads ?? Math.max(1, pool.size - 1)
    owner.refresh()
    // The pool's threads read the old file, and only as long as somebody has it open.
    const view = owner.view.retain()
    const host = {
      shared: view.borrowed,
      published: (name: 'end' | 'objects') => view.state.get(name),
      switchTo: owner.switchTo.bind(owner),
    }
    const signals = signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal]
    try {
      const result = await packJournal(
        nodeFileSystem,
        { size, run: pool.run.bind(pool) },
        host,
        settings,
        AbortSignal.any(signals),
      )
      this.#packs++
      return result
    } finally {
      view.release()
    }
  }

  /** Gives up the pack under way, if there is one. Resolves when nothing is left of it. */
  async cancel(): Promise<void> {
    const { path } = this.#backend
    this.#closing.abort(
      new PerdureError('PERDURE_CLOSED', `${path} was closed during the pack.`, { details: { path } }),
    )
    await this.#running
  }

  statistics(): PackStatistics {
    const { view } = this.#backend
    const { created, historyFrom, uuid } = view.header
    const end = view.state.get('end')
    if (this.#fresh?.uuid !== uuid) this.#fresh = { uuid, end: endOfOlder(view) }
    return { packs: this.#packs, historyFrom, packedAt: created, bytesSincePack: end - this.#fresh.end }
  }
}

/** Where what was there ends when the file was made. What has been committed since comes behind. */
function endOfOlder(view: JournalView): number {
  const { created, historyFrom } = view.header
  // Where there is history from the beginning, no pack need have made the file: then all of it is newer, though perhaps
  // not by a millisecond.
  const time = historyFrom === 0 ? created - 1 : created
  const journalEnd = view.state.get('end')
  try {
    const finder = view.finder()
    const end = complete(finder.notAfter(time))?.end ?? FILE_HEADER_BYTES
    // A transaction without records is a pack's own: nothing that was committed.
    const next = end < journalEnd ? finder.at(end) : undefined
    return next?.header.recordCount === 0 ? next.end : end
  } catch (error) {
    // A journal that is damaged has statistics as well.
    if (error instanceof PerdureError) return FILE_HEADER_BYTES
    throw error
  }
}

function busy(path: string): PerdureError {
  return new PerdureError('PERDURE_BUSY', `${path} is being packed already. Wait for that pack to end.`, {
    details: { path },
  })
}

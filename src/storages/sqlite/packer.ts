import { PerdureError } from '../../core/errors.js'
import type { PackOptions, PackProgress, PackResult } from '../../core/storage.js'
import { checkRetention } from '../../journal/retention.js'
import { readonlyError, type SqliteBackend } from './backend.js'
import { runJob } from './job.js'
import type { SurveyJob } from './job-messages.js'
import { OwnerBackend } from './shared-backend.js'

const OPTIONS = ['retain', 'keepOld', 'onProgress', 'signal']

/** The packs of one handle: one at a time. */
export class SqlitePacker {
  readonly #backend: SqliteBackend
  readonly #closing = new AbortController()
  #running: Promise<unknown> | undefined
  /** Packs by this handle. */
  packs = 0

  constructor(backend: SqliteBackend) {
    this.#backend = backend
  }

  async pack(options: PackOptions): Promise<PackResult> {
    this.#check(options)
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

  #check(options: PackOptions): void {
    const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
    if (unknown !== undefined) {
      throw new PerdureError('PERDURE_ARGUMENT', `pack has no option "${unknown}". It takes ${OPTIONS.join(', ')}.`)
    }
    checkRetention(options.retain)
    if (options.keepOld !== true) return
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      'An SQLite database is packed in place, so there is no old file to keep. Make a backup() before.',
    )
  }

  #owner(): OwnerBackend {
    const backend = this.#backend
    if (backend instanceof OwnerBackend) return backend
    if (backend.settings.readonly) throw readonlyError(backend.path)
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      `Only the handle that opened ${backend.path} can pack it, not one that another thread shares. Ask its thread.`,
    )
  }

  async #pack(owner: OwnerBackend, { retain, signal, onProgress }: PackOptions): Promise<PackResult> {
    const { path, settings } = owner
    const signals = signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal]
    const stop = AbortSignal.any(signals)
    const before = owner.figures()
    const request = await runJob<SurveyJob>(
      { job: 'survey', path, cacheBytes: settings.cacheBytes, retain },
      { signal: stop, onProgress: (progress) => onProgress?.({ ...progress, remainingMs: undefined }) },
    )
    const tell = (phase: PackProgress['phase'], objects: number, objectsTotal: number) => {
      const { bytes } = owner.figures()
      onProgress?.({ phase, objects, objectsTotal, bytes, bytesTotal: bytes, remainingMs: undefined })
    }
    const { historyFrom } = request
    await this.#remove(owner, request, stop, tell)
    const after = owner.figures()
    tell('switch', after.objects, after.objects)
    this.packs++
    return {
      objectsBefore: before.objects,
      objectsAfter: after.objects,
      bytesBefore: before.bytes,
      bytesAfter: after.bytes,
      historyFrom,
    }
  }

  /** What the user's function throws must not be lost in a message's handler. */
  async #remove(
    owner: OwnerBackend,
    request: SurveyJob['result'],
    stop: AbortSignal,
    tell: (phase: PackProgress['phase'], objects: number, objectsTotal: number) => void,
  ): Promise<void> {
    let thrown: { readonly error: unknown } | undefined
    const attempt = (call: () => void) => {
      try {
        call()
      } catch (error) {
        thrown ??= { error }
      }
    }
    const outcome = await owner.client.remove(request, {
      onPrepared: () => {
        attempt(() => tell('catch-up', 0, 0))
        return thrown === undefined && !stop.aborted
      },
      onRemoved: (objects, objectsTotal) => attempt(() => tell('switch', objects, objectsTotal)),
    })
    if (thrown !== undefined) throw thrown.error
    if (outcome === 'cancelled') throw stop.reason
  }

  /** Gives up the pack under way, if that can be done. Resolves when nothing is under way. */
  async cancel(): Promise<void> {
    const { path } = this.#backend
    this.#closing.abort(
      new PerdureError('PERDURE_CLOSED', `${path} was closed during the pack.`, { details: { path } }),
    )
    await this.#running
  }
}

function busy(path: string): PerdureError {
  return new PerdureError('PERDURE_BUSY', `${path} is being packed already. Wait for that pack to end.`, {
    details: { path },
  })
}

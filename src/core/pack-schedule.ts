import { durationMs } from './duration.js'
import { PerdureError } from './errors.js'
import { estimateSuperseded } from './garbage-estimate.js'
import type { PackOptions, PackResult, Retention, Storage, StorageStatistics } from './storage.js'

/** When a storage is packed by itself, and how. Without one of the first three it never is. */
export interface AutomaticPackOptions {
  /** Bytes that have been committed since the last pack. */
  readonly gcBytes?: number | undefined
  /** Time since the last pack: ms, or a text such as '12h'. Only if something has been committed since. */
  readonly gcInterval?: number | string | undefined
  /** Part of the stored bytes that is garbage, as far as that can be estimated: from 0 to 1. */
  readonly gcGarbageRatio?: number | undefined
  /** History that these packs keep, as far as it is still there. Default: none. */
  readonly gcRetain?: Retention | undefined
  /** Called after each of these packs. */
  readonly onPack?: ((result: PackResult) => void) | undefined
  /** Called when one has failed. Default: a warning of the process. */
  readonly onPackError?: ((error: unknown) => void) | undefined
}

/** The names of these options. */
export const PACK_SCHEDULE_OPTIONS = [
  'gcBytes',
  'gcInterval',
  'gcGarbageRatio',
  'gcRetain',
  'onPack',
  'onPackError',
] as const

/** How often it is looked whether a pack is due. */
const CHECK_MS = 1000

/** After a pack that has failed, the next one is not tried before this. */
const RETRY_MS = 60_000

/** Garbage is estimated anew when the storage has grown by one part in so many. */
const ESTIMATE_EACH = 20

/**
 * Packs a storage when it is due. It keeps no process alive, and a pack that fails is reported and changes nothing.
 *
 * Garbage is estimated as the superseded versions, by a sample of the objects, that have come since the last pack;
 * and as many objects that cannot be reached, for each byte committed, as the last pack found.
 */
export class PackSchedule {
  readonly #storage: Storage
  readonly #options: AutomaticPackOptions
  readonly #intervalMs: number
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout
  #running: Promise<void> | undefined
  #notBefore = 0
  /** Of the storage, when it was last packed as far as is known here. */
  #packedAt = 0
  #bytesAfterPack = 0
  #tidAfterPack = 0
  #supersededAfterPack = 0
  /** What the storage says of when it was packed: by this it shows that somebody else has packed it. */
  #toldPackedAt: unknown
  /** Bytes of unreachable objects for each byte committed. */
  #unreachableRate = 0
  /** Of the storage, when garbage was last estimated. */
  #estimatedAt = 0

  /**
   * Starts to look after a storage, if some option asks for that.
   *
   * @param checkMs how often to look; given by tests
   * @throws PerdureError `PERDURE_ARGUMENT`; `PERDURE_UNSUPPORTED` if the storage cannot be packed, or not by garbage
   */
  static start(storage: Storage, options: AutomaticPackOptions, checkMs = CHECK_MS): PackSchedule | undefined {
    checkPackSchedule(options)
    const { gcBytes, gcInterval, gcGarbageRatio } = options
    if (gcBytes === undefined && gcInterval === undefined && gcGarbageRatio === undefined) return undefined
    if (!storage.capabilities.has('pack')) {
      throw new PerdureError('PERDURE_UNSUPPORTED', `${storage.location} cannot be packed by this handle.`)
    }
    if (gcGarbageRatio !== undefined && storage.statistics()['nextOid'] === undefined) {
      throw new PerdureError('PERDURE_UNSUPPORTED', `${storage.location} does not tell how much of it is garbage.`)
    }
    return new PackSchedule(storage, options, checkMs)
  }

  private constructor(storage: Storage, options: AutomaticPackOptions, checkMs: number) {
    this.#storage = storage
    this.#options = options
    const { gcInterval } = options
    this.#intervalMs = gcInterval === undefined ? Number.POSITIVE_INFINITY : durationMs('gcInterval', gcInterval)
    this.#takePacked(storage.statistics())
    this.#timer = setInterval(() => this.#look(), checkMs)
    this.#timer.unref()
  }

  /** Gives up a pack under way, and does not begin another one. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort(new PerdureError('PERDURE_CLOSED', `${this.#storage.location} is being closed.`))
    await this.#running
  }

  #look(): void {
    if (this.#running !== undefined || Date.now() < this.#notBefore) return
    try {
      if (!this.#isDue()) return
    } catch (error) {
      this.#failed(error)
      return
    }
    this.#running = this.#pack().finally(() => {
      this.#running = undefined
    })
  }

  #isDue(): boolean {
    const figures = this.#storage.statistics()
    if (figures['packedAt'] !== this.#toldPackedAt) {
      this.#takePacked(figures)
      this.#supersededAfterPack = this.#superseded()
    }
    const { tid, bytes } = figures
    if (tid === this.#tidAfterPack) return false
    const { gcBytes = Number.POSITIVE_INFINITY } = this.#options
    if (bytes - this.#bytesAfterPack >= gcBytes) return true
    if (Date.now() - this.#packedAt >= this.#intervalMs) return true
    return this.#hasGarbage(bytes)
  }

  /** Begins with a storage as somebody else has packed it. */
  #takePacked({ bytes, tid, packedAt, bytesSincePack }: StorageStatistics): void {
    const since = typeof bytesSincePack === 'number' ? bytesSincePack : 0
    this.#toldPackedAt = packedAt
    this.#packedAt = typeof packedAt === 'number' ? packedAt : Date.now()
    this.#bytesAfterPack = bytes - since
    this.#tidAfterPack = since > 0 ? -1 : tid
    this.#estimatedAt = 0
  }

  #hasGarbage(bytes: number): boolean {
    const { gcGarbageRatio } = this.#options
    if (gcGarbageRatio === undefined || bytes - this.#estimatedAt < bytes / ESTIMATE_EACH) return false
    this.#estimatedAt = bytes
    const superseded = this.#superseded() - this.#supersededAfterPack
    const unreachable = Math.max(0, bytes - this.#bytesAfterPack) * this.#unreachableRate
    return (superseded + unreachable) / bytes >= gcGarbageRatio
  }

  async #pack(): Promise<void> {
    const { gcRetain: retain } = this.#options
    const options: PackOptions = { signal: this.#stop.signal, ...(retain !== undefined && { retain }) }
    try {
      const { bytes } = this.#storage.statistics()
      const superseded = this.#superseded()
      const result = await this.#packStorage(options)
      this.#tell(() => this.#options.onPack?.(result))
      if (!this.#stop.signal.aborted) this.#learn(result, bytes, superseded)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Keeps what there is of the history that is wanted: another pack may have kept less, or none. */
  async #packStorage(options: PackOptions): Promise<PackResult> {
    try {
      return await this.#storage.pack(options)
    } catch (error) {
      if (!(error instanceof PerdureError) || error.code !== 'PERDURE_HISTORY') throw error
      const { historyFrom } = error.details
      if (typeof historyFrom !== 'number') throw error
      return this.#storage.pack({ ...options, retain: { tid: historyFrom } })
    }
  }

  #learn({ bytesBefore, bytesAfter }: PackResult, bytes: number, superseded: number): void {
    const committed = Math.max(1, bytes - this.#bytesAfterPack)
    const gone = bytesBefore - bytesAfter
    this.#unreachableRate = Math.min(1, Math.max(0, gone - (superseded - this.#supersededAfterPack)) / committed)
    const after = this.#storage.statistics()
    this.#toldPackedAt = after['packedAt']
    this.#packedAt = Date.now()
    this.#bytesAfterPack = bytesAfter
    this.#tidAfterPack = after.tid
    this.#estimatedAt = after.bytes
    this.#supersededAfterPack = this.#superseded()
  }

  /** 0 if nobody wants to know. */
  #superseded(): number {
    return this.#options.gcGarbageRatio === undefined ? 0 : (estimateSuperseded(this.#storage) ?? 0)
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.#notBefore = Date.now() + RETRY_MS
    // Somebody else packs, so all is well.
    if (error instanceof PerdureError && error.code === 'PERDURE_BUSY') return
    this.#tell(() => (this.#options.onPackError ?? warn)(error))
  }

  /** What the user's function throws must not end the process. */
  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      warn(error)
    }
  }
}

function warn(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  process.emitWarning(`Perdure: an automatic pack failed. ${message}`, { type: 'PerdureWarning' })
}

/** @throws PerdureError `PERDURE_ARGUMENT` */
export function checkPackSchedule({ gcBytes, gcInterval, gcGarbageRatio }: AutomaticPackOptions): void {
  if (gcInterval !== undefined) durationMs('gcInterval', gcInterval)
  if (gcBytes !== undefined && !(Number.isFinite(gcBytes) && gcBytes > 0)) {
    throw new PerdureError('PERDURE_ARGUMENT', `gcBytes must be a number of bytes above 0, not ${gcBytes}.`)
  }
  if (gcGarbageRatio !== undefined && !(gcGarbageRatio > 0 && gcGarbageRatio <= 1)) {
    throw new PerdureError('PERDURE_ARGUMENT', `gcGarbageRatio must be above 0 and at most 1, not ${gcGarbageRatio}.`)
  }
}

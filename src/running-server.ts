import type { PackSchedule } from './core/pack-schedule.js'
import type { Storage, StorageStatistics } from './core/storage.js'
import type { ServeLog } from './serve-log.js'
import type { Address } from './server/address.js'
import type { CredentialsFile } from './server/auth/credentials-file.js'
import type { Listener } from './server/listen/listener.js'
import { loadTls, type TlsFiles } from './server/listen/tls-files.js'
import type { ServerFigures } from './server/server-statistics.js'
import type { StorageServer } from './server/storage-server.js'

/** What a server has done since it started. */
export interface RunningStatistics extends ServerFigures {
  readonly uptimeMs: number
  /** The storage's own; of a file among others `batches`, commits written together, and `largestBatch`. */
  readonly storage: StorageStatistics
}

/** Where a server listens. */
export interface ServedAddress {
  /** With the actual port. */
  readonly address: Address
  /** What a client on this machine gives to `open()`. */
  readonly url: string
}

/** What a running server is made of. */
export interface ServerParts {
  readonly storage: Storage
  /** Whether the server has opened the storage, and so closes it. */
  readonly ownsStorage: boolean
  readonly schedule: PackSchedule | undefined
  readonly core: StorageServer
  readonly listeners: readonly Listener[]
  readonly tls: TlsFiles | undefined
  readonly credentials: CredentialsFile | undefined
  readonly log: ServeLog
  readonly signals: boolean
}

/** A server that {@link serve} has started. */
export class RunningServer {
  readonly addresses: readonly ServedAddress[]
  /**
   * Resolves when the server has stopped, for whatever reason; rejects if the storage could not be closed. It need not
   * be awaited.
   */
  readonly closed: Promise<void>

  readonly #parts: ServerParts
  readonly #startedAt = performance.now()
  readonly #handlers: Readonly<Record<string, () => void>>
  #settle: ((outcome: Promise<void>) => void) | undefined
  #stopping: Promise<void> | undefined

  constructor(parts: ServerParts) {
    this.#parts = parts
    this.addresses = parts.listeners.map(({ address, url }) => ({ address, url }))
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.closed.catch(() => {}) // Whoever calls stop() hears of it.
    this.#handlers = {
      SIGTERM: () => this.stopSoon('SIGTERM'),
      SIGINT: () => this.stopSoon('SIGINT'),
      SIGHUP: () => void this.reload().catch(() => {}), // The log has it.
    }
    if (parts.signals) for (const [name, handler] of Object.entries(this.#handlers)) process.on(name, handler)
    const { location, serializer } = parts.storage
    parts.log.note('info', 'started', { location, serializer, urls: this.addresses.map(({ url }) => url) }, 'serving')
  }

  /** @throws PerdureError `PERDURE_CLOSED` when the server has stopped */
  statistics(): RunningStatistics {
    const { core, storage } = this.#parts
    const uptimeMs = performance.now() - this.#startedAt
    return { ...core.figures, uptimeMs, storage: storage.statistics() }
  }

  /**
   * Reads certificates and credentials again, and begins a new log file if the old one has been moved away. Connections go
   * on. Certificates that cannot be used leave the old ones in use; with credentials that cannot be used nobody new gets in.
   *
   * @throws PerdureError what {@link serve} throws for these files, after all have been tried
   */
  async reload(): Promise<void> {
    const { credentials, log } = this.#parts
    const problems = await this.#attempt('reloadFailed', [
      () => log.reopen(),
      () => this.#reloadTls(),
      () => credentials?.current(),
    ])
    if (problems.length > 0) throw problems[0]
    log.note('info', 'reloaded', {}, 'read certificates and credentials again')
  }

  /**
   * Takes no more connections, answers the commits under way, closes the connections, and closes the storage if
   * {@link serve} has opened it, which writes a checkpoint. May be called more than once.
   */
  stop(): Promise<void> {
    return this.#stop('stop()')
  }

  /** As {@link stop}, for events that cannot wait for it. */
  stopSoon(reason: string): void {
    this.#stop(reason).catch(() => {}) // `closed` and the log have it.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #stop(reason: string): Promise<void> {
    if (this.#stopping === undefined) {
      this.#stopping = this.#run(reason)
      this.#settle?.(this.#stopping)
    }
    return this.#stopping
  }

  async #run(reason: string): Promise<void> {
    const { listeners, core, storage, ownsStorage, schedule, log } = this.#parts
    log.note('info', 'stopping', { reason }, 'stopping')
    const problems = await this.#attempt('stopFailed', [
      ...listeners.map((listener) => () => listener.close()),
      () => core.stop(),
      () => schedule?.stop(),
      () => (ownsStorage ? storage.close() : undefined),
    ])
    for (const [name, handler] of Object.entries(this.#handlers)) process.off(name, handler)
    log.note('info', 'stopped', { ...core.figures }, 'stopped')
    await log.close()
    if (problems.length > 0) throw problems[0]
  }

  async #reloadTls(): Promise<void> {
    const { tls, listeners } = this.#parts
    if (tls === undefined) return
    const loaded = await loadTls(tls)
    for (const listener of listeners) listener.reload(loaded)
  }

  /** Takes every step, whatever becomes of the others, and gives what went wrong. */
  async #attempt(event: string, steps: readonly (() => unknown)[]): Promise<unknown[]> {
    const problems: unknown[] = []
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        problems.push(error)
        this.#parts.log.note('error', event, { err: error }, (error as Error).message)
      }
    }
    return problems
  }
}

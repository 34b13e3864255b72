import { PerdureError } from './core/errors.js'
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
   * on. What cannot be used leaves everything as it was; but nobody new gets in as long as the credentials are unusable.
   *
   * @throws PerdureError what {@link serve} throws for these files
   */
  async reload(): Promise<void> {
    const { tls, listeners, credentials, log } = this.#parts
    try {
      log.reopen()
      const loaded = tls === undefined ? undefined : await loadTls(tls)
      if (loaded !== undefined) for (const listener of listeners) listener.reload(loaded)
      await credentials?.current()
      log.note('info', 'reloaded', {}, 'read certificates and credentials again')
    } catch (error) {
      log.note('error', 'reloadFailed', { err: error }, 'some files cannot be used as they are')
      throw error
    }
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
    const { listeners, core, storage, ownsStorage, log } = this.#parts
    log.note('info', 'stopping', { reason }, 'stopping')
    const problems: unknown[] = []
    const attempt = async (step: () => Promise<void> | void): Promise<void> => {
      try {
        await step()
      } catch (error) {
        problems.push(error)
        log.note('error', 'stopFailed', { err: error }, 'something could not be closed')
      }
    }
    for (const listener of listeners) await attempt(() => listener.close())
    await attempt(() => core.stop())
    if (ownsStorage) await attempt(() => storage.close())
    for (const [name, handler] of Object.entries(this.#handlers)) process.off(name, handler)
    log.note('info', 'stopped', { ...core.figures }, 'stopped')
    log.close()
    if (problems.length > 0) throw asPerdureError(problems[0])
  }
}

function asPerdureError(error: unknown): PerdureError {
  if (error instanceof PerdureError) return error
  return new PerdureError('PERDURE_IO', `The server could not be stopped properly: ${String(error)}`, { cause: error })
}

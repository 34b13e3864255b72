import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type {
  Capability,
  CommitRequest,
  CommitResult,
  PackOptions,
  PackResult,
  PointInTime,
  SharedStorage,
  Snapshot,
  Storage,
  StorageStatistics,
  TransactionInfo,
  TransactionRange,
  VerifyOptions,
  VerifyReport,
} from '../core/storage.js'
import type { AddressLike } from '../server/address.js'
import type { Reply, Request } from '../server/protocol/messages.js'
import type { BridgeStarter } from '../workers/sync-bridge.js'
import { checkCount, checkRequest } from './check-request.js'
import type { ClientStorageOptions, ClientStorageSettings } from './client/client-options.js'
import { type ClientHandle, ClientSnapshot } from './client/client-snapshot.js'
import { commitSafely, notStored } from './client/commits.js'
import { type ClientParts, connectParts } from './client/connect.js'
import { Doubts } from './client/doubts.js'
import { closed, type Exchange, type ReplyOf } from './client/exchange.js'
import { failing, listTransactions, pointOf } from './client/history.js'
import { manage } from './client/management.js'
import type { OidReserve } from './client/oid-reserve.js'
import { capabilitiesOf, databaseReplaced, type ServerSession } from './client/server-session.js'

/** Connections that are lost right after they were made are made anew so many times before that counts as a failure. */
const ATTEMPTS = 3

/**
 * A storage that is served by another process: see docs/client.md. All connections of a process that use one such
 * storage share its connection to the server, and a cache of records.
 *
 * Loads and snapshots are synchronous: they block the thread until the server has answered. A server in the same
 * thread cannot answer then; such a call ends after `timeoutMs`.
 */
export class ClientStorage implements Storage {
  readonly kind = 'client'
  /** The server's address as a URL. */
  readonly location: string
  readonly serializer: string
  readonly capabilities: ReadonlySet<Capability>
  readonly readonly: boolean

  readonly #settings: ClientStorageSettings
  readonly #exchange: Exchange
  readonly #handle: ClientHandle
  readonly #oids: OidReserve
  readonly #session: ServerSession
  readonly #commits = new Set<Promise<unknown>>()
  readonly #doubts = new Doubts()
  /** The server that the newest snapshot is of, as {@link oidEpoch}, and the transaction of the first one of it. */
  #epochRead = 0
  #epochFrom: Tid = 0
  #closing: Promise<void> | undefined

  private constructor({ location, settings, exchange, handle, oids, session }: ClientParts) {
    const { welcome } = session
    this.location = location
    this.#settings = settings
    this.#exchange = exchange
    this.#handle = handle
    this.#oids = oids
    this.#session = session
    this.serializer = welcome.serializer
    this.readonly = settings.readonly || welcome.readonly || welcome.role === 'reader'
    this.capabilities = capabilitiesOf(welcome)
  }

  /**
   * Connects to a server. Waits for one to be there, for up to `connectTimeoutMs`.
   *
   * @param address a URL such as `perdure://host:2972`, or `{ host, port, tls }`, or `{ path }` of a Unix socket, or
   *   `{ path: '@name' }` of an abstract one
   * @param start for tests only: starts the thread that has the socket
   * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_TIMEOUT`, `PERDURE_NOT_FOUND` for an unknown host,
   *   `PERDURE_PERMISSION`, `PERDURE_AUTHENTICATION`, `PERDURE_PROTOCOL`, `PERDURE_IO`, `PERDURE_THREAD`
   */
  static async connect(
    address: AddressLike,
    options: ClientStorageOptions = {},
    start?: BridgeStarter,
  ): Promise<ClientStorage> {
    return new ClientStorage(await connectParts(address, options, start))
  }

  /**
   * Changes when the server was started anew. Oids that were allocated before and not committed must not be used any
   * more: the new server may give them to others.
   */
  get oidEpoch(): number {
    return this.#session.epoch
  }

  /** Memory that the shared cache of records takes, in bytes, about. */
  get cachedBytes(): number {
    return this.#handle.records.cachedBytes
  }

  /**
   * Asks the server for its newest state, and connects to it again if the connection was lost.
   *
   * @throws PerdureError `PERDURE_TIMEOUT`, `PERDURE_DISCONNECTED`, `PERDURE_CLOSED`, `PERDURE_THREAD`
   */
  snapshot(): Snapshot {
    const { snapshot, tid } = this.#askNow<'snapshot'>({ type: 'snapshot' })
    const { records } = this.#handle
    records.saw(tid)
    if (records.hasGoneBack) {
      const error = databaseReplaced(this.location, 'It has lost transactions, or is an older copy.')
      this.#exchange.giveUp(error)
      throw error
    }
    if (this.#epochRead !== this.oidEpoch) this.#epochFrom = tid
    this.#epochRead = this.oidEpoch
    this.#doubts.settle(this.#exchange, (oids) => this.#oids.committed(oids))
    return new ClientSnapshot(this.#handle, snapshot, tid)
  }

  async snapshotAt(at: PointInTime): Promise<Snapshot> {
    this.#assertCan('history')
    await this.#exchange.connected(this.#settings.timeoutMs)
    const { connection } = this.#exchange
    const { snapshot, tid } = await this.#exchange.ask<'snapshot'>({ type: 'snapshot', at: pointOf(at) })
    // Somebody may have connected anew since the answer came; there the number means another snapshot, or none.
    if (connection !== this.#handle.connection) throw notStored(this.location)
    return new ClientSnapshot(this.#handle, snapshot, tid)
  }

  /** Asks the server at once, blocking the thread, which transaction is the newest, unless `to` says where to end. */
  transactions(range: TransactionRange = {}): AsyncIterable<TransactionInfo> {
    try {
      this.#assertCan('history')
      const whole = { ...range, to: range.to ?? this.#newestTid() }
      return listTransactions(this.#exchange, whole, this.#settings.timeoutMs, () => this.#assertOpen())
    } catch (error) {
      return failing(error)
    }
  }

  #newestTid(): Tid {
    const snapshot = this.snapshot()
    snapshot.release()
    return snapshot.tid
  }

  changes(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    this.#assertOpen()
    return this.#handle.records.changes(after, upTo)
  }

  allocateOids(count: number): Oid {
    this.#assertOpen()
    checkCount(count)
    if (this.readonly) throw this.#readonlyError()
    // Only a connection knows whether the server is still the one that has given the oids at hand.
    this.#exchange.ensureConnected(this.#settings.timeoutMs)
    return this.#oids.allocate(count, (wanted) => this.#askNow<'allocated'>({ type: 'allocate', count: wanted }).first)
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    this.#assertOpen()
    checkRequest(request)
    if (request.restored !== undefined) this.#assertCan('restore')
    if (this.readonly && request.writes.length > 0) throw this.#readonlyError()
    this.#exchange.checkUsable()
    if (this.#exchange.connection === 0) throw notStored(this.location)
    // What the transaction has read may be unknown to a server that was started anew, which may serve a backup.
    if (this.#epochRead !== this.oidEpoch || request.base < this.#epochFrom) throw notStored(this.location)
    const lost = this.#oids.findLost(request.writes)
    if (lost !== undefined) throw notStored(this.location)
    const oids = request.writes.map(({ oid }) => oid)
    const committing = commitSafely(this.#exchange, this.location, request, this.#settings.timeoutMs)
    this.#commits.add(committing)
    try {
      const result = await committing
      if (result.tid !== undefined) this.#oids.committed(oids)
      return result
    } catch (error) {
      this.#doubts.note(error, request.base, oids)
      throw error
    } finally {
      this.#commits.delete(committing)
    }
  }

  async pack({ retain, keepOld = false, onProgress, signal }: PackOptions = {}): Promise<PackResult> {
    this.#assertOpen()
    if (this.readonly) throw this.#readonlyError()
    this.#assertCan('pack')
    const request: Request = { type: 'pack', ...(retain !== undefined && { retain }), keepOld }
    const reply = await this.#manage(request, signal, (part) => {
      if (part.type === 'packProgress') onProgress?.(part.progress)
    })
    return (reply as ReplyOf<'packed'>).result
  }

  async verify({ onProgress, signal }: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertCan('verify')
    const reply = await this.#manage({ type: 'verify' }, signal, (part) => {
      if (part.type === 'verifyProgress') onProgress?.(part.progress)
    })
    return (reply as ReplyOf<'verified'>).report
  }

  async #manage(
    request: Request,
    signal: AbortSignal | undefined,
    onPart: Parameters<typeof manage>[2],
  ): Promise<Reply> {
    await this.#exchange.connected(this.#settings.timeoutMs)
    return manage(this.#exchange, request, onPart, signal)
  }

  /**
   * Asks the server to end, in good order: it answers the commits under way and closes its connections, this one too.
   *
   * @throws PerdureError `PERDURE_PERMISSION` if the server was not started that way, or this client is no admin;
   *   `PERDURE_TIMEOUT`, `PERDURE_DISCONNECTED`, `PERDURE_CLOSED`
   */
  async stopServer(): Promise<void> {
    this.#assertOpen()
    await this.#exchange.connected(this.#settings.timeoutMs)
    await this.#exchange.ask<'done'>({ type: 'stop' })
  }

  /** @throws PerdureError `PERDURE_UNSUPPORTED` always: each thread connects by itself, with the same address */
  share(): SharedStorage {
    this.#assertOpen()
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      `A ClientStorage belongs to one thread. Open ${this.location} in the other thread as well.`,
    )
  }

  /** Those of the server's storage, apart from `loads`, which are this storage's own. Asks the server. */
  statistics(): StorageStatistics {
    const { statistics } = this.#askNow<'statistics'>({ type: 'statistics' })
    return { ...statistics, loads: this.#handle.loads }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#commits)
    this.#handle.closed = true
    await this.#exchange.close()
  }

  /** For requests that may as well be made twice. */
  #askNow<T extends Reply['type']>(request: Request): ReplyOf<T> {
    this.#assertOpen()
    for (let attempt = 1; ; attempt++) {
      this.#exchange.ensureConnected(this.#settings.timeoutMs)
      try {
        return this.#exchange.askNow<T>(request)
      } catch (error) {
        const wasLost = error instanceof PerdureError && error.code === 'PERDURE_DISCONNECTED'
        if (!wasLost || attempt === ATTEMPTS) throw error
      }
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closed(this.location)
  }

  #assertCan(capability: Capability): void {
    this.#assertOpen()
    if (this.capabilities.has(capability)) return
    const why = this.#session.welcome.capabilities.includes(capability) ? ' for you' : ''
    throw new PerdureError(
      'PERDURE_UNSUPPORTED',
      `The storage at ${this.location} does not have the capability '${capability}'${why}.`,
    )
  }

  #readonlyError(): PerdureError {
    return new PerdureError('PERDURE_READONLY', `${this.location} can only be read by this client.`, {
      details: { path: this.location },
    })
  }
}

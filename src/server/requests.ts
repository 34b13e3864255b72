import { PerdureError, packError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { PointInTime, Snapshot, StorageStatistics, TransactionRange } from '../core/storage.js'
import type { Identity } from './authentication.js'
import { Commits } from './commits.js'
import { Loads } from './loads.js'
import { Maintenance } from './maintenance.js'
import { OidAllowance } from './oid-allowance.js'
import type { Output } from './output.js'
import { type ActiveRequest, PartStream } from './part-stream.js'
import { assertPermitted } from './permissions.js'
import { encodeServerMessage } from './protocol/message-frames.js'
import type { ClientNotice, Limits, Reply, Request } from './protocol/messages.js'
import { streamBatches, streamTransactions } from './record-streams.js'
import type { SessionHost } from './session-host.js'
import { SnapshotTable } from './snapshot-table.js'

/** Errors with these codes, and those without one, are worth a line in the log: something is wrong with the server. */
const SERVER_FAULTS: ReadonlySet<string> = new Set([
  '',
  'PERDURE_CORRUPTION',
  'PERDURE_IO',
  'PERDURE_NO_SPACE',
  'PERDURE_POISONED',
  'PERDURE_THREAD',
])

type Of<T extends Request['type']> = Extract<Request, { readonly type: T }>

const DONE: Reply = { type: 'done' }

/** Nothing about it can be changed once it runs. */
const UNSTOPPABLE: ActiveRequest = { cancel: () => {}, grant: () => {} }

/** Answers the requests of one client that has been let in. */
export class Requests {
  readonly #host: SessionHost
  readonly #identity: Identity
  readonly #limits: Limits
  readonly #output: Output
  /** To be called when something has been answered. */
  readonly #onAnswer: () => void
  readonly #snapshots: SnapshotTable
  readonly #loads: Loads
  readonly #oids = new OidAllowance()
  readonly #commits: Commits
  readonly #active = new Map<number, ActiveRequest>()
  readonly #running = new Set<Promise<void>>()
  #toldUpTo: Tid | undefined

  constructor(host: SessionHost, identity: Identity, limits: Limits, output: Output, onAnswer: () => void) {
    this.#host = host
    const { statistics } = host.services
    this.#snapshots = new SnapshotTable((difference) => {
      statistics.snapshots += difference
    })
    this.#identity = identity
    this.#limits = limits
    this.#output = output
    this.#onAnswer = onAnswer
    this.#loads = new Loads(statistics, output, limits.frameBytes)
    this.#commits = new Commits(host, identity, limits.frameBytes, this.#oids, (tid) => this.#cover(tid))
  }

  /** Whether the client has to wait before it may ask for more. */
  get isBusy(): boolean {
    return this.#commits.isBusy
  }

  /** @throws PerdureError `PERDURE_PROTOCOL` if the client breaks a rule; whatever else goes wrong is answered */
  handle(id: number, request: Request): void {
    if (this.#active.has(id)) throw new PerdureError('PERDURE_PROTOCOL', `The request id ${id} is in use already.`)
    if (this.#active.size >= this.#limits.requests) {
      throw new PerdureError('PERDURE_PROTOCOL', `More than ${this.#limits.requests} requests are waiting for answers.`)
    }
    if (request.type === 'hello' || request.type === 'authenticate') {
      throw new PerdureError('PERDURE_PROTOCOL', `'${request.type}' is out of place: the client has been let in.`)
    }
    try {
      assertPermitted(request.type, this.#identity.role)
      const reply = this.#dispatch(id, request)
      if (reply !== undefined) this.#reply(id, reply)
    } catch (error) {
      this.#refuse(id, request.type, error)
    }
  }

  notice(notice: Exclude<ClientNotice, { type: 'goodbye' }>): void {
    switch (notice.type) {
      case 'release':
        this.#snapshots.release(notice.snapshot)
        break
      case 'cancel':
        this.#active.get(notice.request)?.cancel()
        break
      case 'credit':
        this.#active.get(notice.request)?.grant(notice.parts)
    }
  }

  /** Tells an idle client what has changed. */
  tell(newestTid: Tid): boolean {
    if (this.#toldUpTo === undefined || newestTid <= this.#toldUpTo || this.#output.unsentBytes > 0) return false
    this.#cover(newestTid)
    return true
  }

  /** Gives up memory of a client that has loaded nothing since the last call. */
  rest(): void {
    this.#loads.rest()
  }

  /** Ends everything that can be ended, and resolves when the rest, commits above all, has been answered. */
  async finish(): Promise<void> {
    for (const active of this.#active.values()) active.cancel()
    await Promise.all(this.#running)
  }

  /** The client is gone. Commits go on; their answers are not sent. */
  abandon(): void {
    for (const active of this.#active.values()) active.cancel()
    this.#snapshots.releaseAll()
    this.#loads.forget()
  }

  /** The answer, or undefined if it comes later. */
  #dispatch(id: number, request: Exclude<Request, Of<'hello' | 'authenticate'>>): Reply | undefined {
    const { storage } = this.#host.services
    const { frameBytes } = this.#limits
    switch (request.type) {
      case 'ping':
        return DONE
      case 'load':
        return this.#loads.load(id, request, this.#snapshots.get(request.snapshot))
      case 'snapshot':
        return this.#snapshot(id, request)
      case 'loadMany':
        return this.#stream(id, request.type, this.#loads.loadMany(id, request, this.#snapshots))
      case 'records':
        return this.#stream(id, request.type, async (stream) => {
          await this.#loads.records(stream, id, this.#snapshots.get(request.snapshot))
        })
      case 'scan':
        return this.#stream(id, request.type, async (stream) => {
          await streamBatches(stream, id, this.#snapshots.get(request.snapshot), frameBytes)
        })
      case 'transactions':
        return this.#stream(id, request.type, (stream) => streamTransactions(stream, id, storage, rangeOf(request)))
      case 'allocate':
        return this.#allocate(request)
      case 'commit':
        return this.#run(id, request.type, UNSTOPPABLE, () => this.#commits.commit(request))
      case 'outcome':
        return this.#run(id, request.type, UNSTOPPABLE, () => this.#commits.outcome(request))
      case 'pack':
      case 'verify':
        return this.#maintain(id, request)
      case 'statistics':
        return { type: 'statistics', statistics: this.#statistics() }
      case 'stop':
        return this.#stop()
    }
  }

  #snapshot(id: number, { at }: Of<'snapshot'>): Reply | undefined {
    this.#snapshots.assertRoom(this.#limits.snapshots)
    const { storage } = this.#host.services
    if (at === undefined) return this.#hold(storage.snapshot())
    return this.#run(id, 'snapshot', UNSTOPPABLE, async () => this.#hold(await storage.snapshotAt(pointOf(at))))
  }

  #hold(snapshot: Snapshot): Reply {
    const number = this.#snapshots.add(snapshot)
    this.#cover(snapshot.tid)
    return { type: 'snapshot', snapshot: number, tid: snapshot.tid }
  }

  #allocate({ count }: Of<'allocate'>): Reply {
    const { storage } = this.#host.services
    return { type: 'allocated', first: this.#oids.take(count, (wanted) => storage.allocateOids(wanted)) }
  }

  #maintain(id: number, request: Of<'pack'> | Of<'verify'>): undefined {
    const { storage } = this.#host.services
    const { user } = this.#identity
    const work = new Maintenance(this.#output, id)
    return this.#run(id, request.type, work, async () => {
      if (request.type === 'verify') return { type: 'verified', report: await work.verify(storage) }
      const startedAt = performance.now()
      try {
        const result = await work.pack(storage, request)
        this.#host.log({ event: 'packed', user, result, durationMs: performance.now() - startedAt })
        return { type: 'packed', result }
      } catch (error) {
        this.#host.log({ event: 'packFailed', user, error: error as Error, durationMs: performance.now() - startedAt })
        throw error
      }
    })
  }

  #statistics(): StorageStatistics {
    const { storage, statistics } = this.#host.services
    const figures = Object.entries(statistics.figures()).map(([name, figure]) => [`server.${name}`, figure])
    return { ...storage.statistics(), ...Object.fromEntries(figures) }
  }

  #stop(): Reply {
    if (!this.#host.services.allowStop) {
      throw new PerdureError(
        'PERDURE_PERMISSION',
        'This server cannot be stopped by its clients: it was started without allowRemoteStop.',
      )
    }
    this.#host.log({ event: 'stopRequested', user: this.#identity.user })
    // The answer goes first.
    queueMicrotask(() => this.#host.requestStop())
    return DONE
  }

  #stream(id: number, type: Request['type'], send: (stream: PartStream) => Promise<void>): undefined {
    const stream = new PartStream(this.#output, this.#host.services.turns)
    return this.#run(id, type, stream, async () => {
      await send(stream)
      return DONE
    })
  }

  /** Answers later. Whatever `work` does before it first waits happens at once, in the order of the requests. */
  #run(id: number, type: Request['type'], active: ActiveRequest, work: () => Promise<Reply>): undefined {
    this.#active.set(id, active)
    const running = (async () => this.#reply(id, await work()))()
      .catch((error) => this.#refuse(id, type, error))
      .finally(() => {
        this.#active.delete(id)
        this.#running.delete(running)
        this.#onAnswer()
      })
    this.#running.add(running)
    return undefined
  }

  #reply(id: number, reply: Reply): void {
    const frame = encodeServerMessage(id, reply)
    const { frameBytes } = this.#limits
    if (frame.length > frameBytes) {
      const message = `The answer takes ${frame.length} bytes, more than the client takes.`
      throw new PerdureError('PERDURE_LIMIT', message, { details: { bytes: frame.length, limit: frameBytes } })
    }
    this.#output.send(frame)
  }

  #refuse(id: number, request: string, error: unknown): void {
    if (SERVER_FAULTS.has((error as PerdureError).code ?? '')) {
      this.#host.log({ event: 'requestFailed', request, error: error as Error })
    }
    this.#output.send(encodeServerMessage(id, { type: 'error', error: packError(error) }))
  }

  /** Before a client learns of a transaction, it is told what has changed up to it. */
  #cover(tid: Tid): void {
    if (tid === 0) this.#toldUpTo ??= 0
    if (tid <= (this.#toldUpTo ?? 0)) return
    this.#output.send(this.#host.services.changes.notice(this.#toldUpTo, tid, this.#limits.frameBytes))
    this.#toldUpTo = tid
  }
}

function pointOf(at: { readonly tid: Tid } | { readonly time: number }): PointInTime {
  return 'tid' in at ? at.tid : new Date(at.time)
}

function rangeOf({ from, to, oid, newestFirst }: Of<'transactions'>): TransactionRange {
  return {
    ...(from !== undefined && { from: pointOf(from) }),
    ...(to !== undefined && { to: pointOf(to) }),
    ...(oid !== undefined && { oid }),
    newestFirst,
  }
}

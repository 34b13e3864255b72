import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import { CommitExchange } from './commit-exchange.js'
import { COMMAND, DURUS_PROTOCOL, DurusWriter, oidList, readOid, STATUS } from './format.js'
import { Input, type InputFlow } from './input.js'
import { Output, type OutputFlow } from './output.js'
import { Reading } from './reading.js'
import type { Protocol1Log, Protocol1Service } from './service.js'
import { Told } from './told.js'

/** What a session needs of a connection: a `net.Socket` has it. */
export interface Protocol1Transport extends InputFlow, OutputFlow {
  /** Sends what has been written, then ends the connection. */
  end(): void
  /** Ends the connection at once. */
  destroy(): void
}

export interface Protocol1Client {
  readonly transport: Protocol1Transport
  /** Why the client may not be served; undefined if it may. */
  readonly refusal?: PerdureError | undefined
  readonly log: Protocol1Log
}

/** An answer to `B` is sent in pieces of about this size, or of so many records. */
const PIECE_BYTES = 64 * 1024
const PIECE_RECORDS = 512

/**
 * One client of protocol 1. Whoever owns the connection gives it what arrives from the first byte on ({@link receive}),
 * and says when the connection has room again ({@link drained}) and when it is closed ({@link disconnected}).
 */
export class Protocol1Session {
  /** Resolves when nothing of the session is left but, perhaps, bytes that the connection is still sending. */
  readonly ended: Promise<void>

  readonly #service: Protocol1Service
  readonly #client: Protocol1Client
  readonly #input: Input
  readonly #output: Output
  readonly #told: Told
  /** What the client has been given and has not stored. */
  readonly #unused = new Set<Oid>()
  readonly #gone = new AbortController()
  #lingering: NodeJS.Timeout | undefined
  #disconnected = false

  constructor(service: Protocol1Service, client: Protocol1Client) {
    this.#service = service
    this.#client = client
    this.#input = new Input(client.transport, service.limits.silenceMs)
    this.#output = new Output(client.transport, service.limits.silenceMs)
    this.#told = new Told(service.storage)
    this.ended = this.#run()
  }

  /** Takes bytes, which it keeps, from the connection. */
  receive(bytes: Buffer): void {
    this.#input.push(bytes)
  }

  /** The connection takes bytes again, after `write` had returned false. */
  drained(): void {
    this.#output.drained()
  }

  /** The connection is closed. */
  disconnected(): void {
    this.#disconnected = true
    clearTimeout(this.#lingering)
    const error = new PerdureError('PERDURE_DISCONNECTED', 'The client has closed the connection.')
    this.#output.end(error)
    this.close(error)
  }

  /** Ends the session after the request that is being answered, or at once if there is none. */
  close(reason: PerdureError): void {
    this.#input.end(reason)
    this.#gone.abort(reason)
  }

  async #run(): Promise<void> {
    const { log, transport } = this.#client
    let orderly = true
    try {
      await this.#serve()
      log('debug', 'the client has said goodbye')
    } catch (error) {
      orderly = error === this.#gone.signal.reason
      const { level, message } = describe(error)
      log(level, message, { error })
    }
    this.#service.rootClaim.release(this)
    const ended = new PerdureError('PERDURE_CLOSED', 'The session has ended.')
    this.#input.end(ended)
    this.#output.end(ended)
    if (this.#disconnected) return
    if (!orderly) return transport.destroy()
    this.#lingering = setTimeout(() => transport.destroy(), this.#service.limits.silenceMs)
    transport.end()
  }

  async #serve(): Promise<void> {
    const refusal = this.#client.refusal ?? this.#service.refusal()
    for (;;) {
      const command = await this.#input.command()
      if (command === COMMAND.close) return
      if (refusal !== undefined) return await this.#refuse(refusal)
      if (command === COMMAND.quit) return this.#quit()
      await this.#answer(command)
    }
  }

  /** A client that has been told another version says that the versions differ, instead of that something is broken. */
  async #refuse(refusal: PerdureError): Promise<void> {
    await this.#sendInt4(DURUS_PROTOCOL + 1)
    this.close(refusal)
    throw refusal
  }

  async #answer(command: number): Promise<void> {
    switch (command) {
      case COMMAND.version:
        return this.#checkVersion()
      case COMMAND.newOid:
        return this.#giveOids(1)
      case COMMAND.newOids:
        return this.#giveOids((await this.#input.read(1))[0] as number)
      case COMMAND.load:
        return this.#load()
      case COMMAND.bulkLoad:
        return this.#bulkLoad()
      case COMMAND.sync:
        await this.#told.gather()
        return this.#output.send(oidList(this.#told.tell()))
      case COMMAND.commit:
        return this.#commit()
      case COMMAND.pack:
        this.#service.pack(this.#client.log)
        return this.#output.send(Buffer.of(STATUS.okay))
      default:
        throw new PerdureError('PERDURE_PROTOCOL', `The client has sent ${command}, which is no command of protocol 1.`)
    }
  }

  async #checkVersion(): Promise<void> {
    const version = await this.#input.int4()
    await this.#sendInt4(DURUS_PROTOCOL)
    if (version === DURUS_PROTOCOL) return
    const error = new PerdureError('PERDURE_PROTOCOL', `The client speaks version ${version} of the protocol, not 1.`)
    this.close(error)
    throw error
  }

  async #giveOids(count: number): Promise<void> {
    const limit = this.#service.limits.unusedOids
    if (this.#unused.size + count > limit) {
      const message = `The client has asked for more than ${limit} oids and not used them.`
      throw new PerdureError('PERDURE_LIMIT', message, { details: { limit } })
    }
    const out = new DurusWriter(8 * count)
    for (const oid of this.#service.newOids(this, count)) {
      this.#unused.add(oid)
      out.int8(oid)
    }
    await this.#output.send(out.done())
  }

  async #load(): Promise<void> {
    const oid = readOid(await this.#input.read(8), 0)
    if (oid === ROOT_OID) await this.#awaitRoot()
    const out = new DurusWriter(512)
    this.#answerLoads(out, [oid], 0)
    await this.#output.send(out.done())
  }

  async #awaitRoot(): Promise<void> {
    const { rootClaim, limits } = this.#service
    if (this.#service.rootExists() || rootClaim.take(this)) return
    await rootClaim.released(limits.rootMs, this.#gone.signal)
    rootClaim.take(this)
  }

  async #bulkLoad(): Promise<void> {
    const count = await this.#input.int4()
    const limit = this.#service.limits.bulkOids
    if (count > limit) {
      const message = `The client has asked for ${count} objects in one request; ${limit} are allowed.`
      throw new PerdureError('PERDURE_LIMIT', message, { details: { limit } })
    }
    // All of it must be taken before the first answer: the client does not read before it has sent everything.
    const bytes = await this.#input.read(8 * count)
    const oids = Array.from({ length: count }, (_, i) => readOid(bytes, 8 * i))
    for (let next = 0; next < count; ) {
      const out = new DurusWriter(PIECE_BYTES)
      next = this.#answerLoads(out, oids, next)
      await this.#output.send(out.done())
      await nextTurn()
    }
  }

  /** Answers loads of `oids` from `next` on, as many as make one piece. Returns the position of the first one left. */
  #answerLoads(out: DurusWriter, oids: readonly (Oid | undefined)[], next: number): number {
    const reading = new Reading(this.#service.storage, this.#told.tid)
    try {
      let at = next
      while (at < oids.length && at - next < PIECE_RECORDS && out.length < PIECE_BYTES) reading.answer(out, oids[at++])
      this.#service.statistics.loads += at - next
      return at
    } finally {
      reading.release()
    }
  }

  async #commit(): Promise<void> {
    // What takes long shall not take the others' time.
    await this.#told.gather()
    await this.#service.gate.alone(() => {
      const exchange = new CommitExchange({
        service: this.#service,
        input: this.#input,
        output: this.#output,
        told: this.#told,
        unused: this.#unused,
        log: this.#client.log,
      })
      return exchange.run()
    }, this.#gone.signal)
  }

  #quit(): void {
    const { stop } = this.#service
    if (stop === undefined) {
      throw new PerdureError('PERDURE_PERMISSION', 'The client has asked the server to stop, which it may not.')
    }
    this.#client.log('info', 'the client stops the server')
    stop()
  }

  #sendInt4(value: number): Promise<void> {
    const out = new DurusWriter(4)
    out.int4(value)
    return this.#output.send(out.done())
  }
}

/** How the log tells of the end of a session. */
function describe(error: unknown): { level: 'debug' | 'info' | 'warn' | 'error'; message: string } {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof PerdureError ? error.code : undefined
  switch (code) {
    case 'PERDURE_DISCONNECTED':
    case 'PERDURE_CLOSED':
      return { level: 'debug', message }
    case 'PERDURE_PROTOCOL':
    case 'PERDURE_TIMEOUT':
    case 'PERDURE_LIMIT':
    case 'PERDURE_PERMISSION':
    case 'PERDURE_SERIALIZER':
    case 'PERDURE_READONLY':
      return { level: 'warn', message }
    default:
      return { level: 'error', message }
  }
}

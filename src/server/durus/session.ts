import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import type { Identity } from '../authentication.js'
import { assertPermitted } from '../permissions.js'
import type { SessionHost } from '../session-host.js'
import type { ServerSession, Transport } from '../transport.js'
import { admit } from './admission.js'
import { CommitExchange } from './commit-exchange.js'
import { COMMAND, DURUS_PROTOCOL, DurusWriter, oidList, readOid, STATUS } from './format.js'
import { Input } from './input.js'
import { Output } from './output.js'
import { Reading } from './reading.js'
import type { Protocol1Service } from './service.js'
import { Told } from './told.js'

/** An answer to `B` is made in pieces of about this size, or of so many records. */
const PIECE_BYTES = 64 * 1024
const PIECE_RECORDS = 512

/** Errors that are no fault of the server. */
const CLIENT_FAULTS: ReadonlySet<unknown> = new Set([
  'PERDURE_LIMIT',
  'PERDURE_PERMISSION',
  'PERDURE_PROTOCOL',
  'PERDURE_READONLY',
  'PERDURE_RECORD_TOO_LARGE',
  'PERDURE_SERIALIZER',
  'PERDURE_TIMEOUT',
])

/** One client that speaks protocol 1. It asks for one thing at a time; what it sends ahead waits. */
export class Protocol1Session implements ServerSession {
  readonly #service: Protocol1Service
  readonly #transport: Transport
  readonly #host: SessionHost
  readonly #input: Input
  readonly #output: Output
  readonly #told: Told
  /** What the client has been given and has not stored. */
  readonly #unused = new Set<Oid>()
  /** Aborted when the connection is over, or is to be. */
  readonly #gone = new AbortController()
  readonly #running: Promise<void>

  /** @throws PerdureError `PERDURE_CLOSED` if the storage is closed */
  constructor(service: Protocol1Service, transport: Transport, host: SessionHost) {
    this.#service = service
    this.#transport = transport
    this.#host = host
    this.#input = new Input(transport, service.limits.silenceMs)
    this.#output = new Output(transport, service.limits.silenceMs)
    this.#told = new Told(service.storage)
    this.#running = this.#run()
  }

  receive(chunk: Buffer): void {
    this.#input.push(chunk)
  }

  drained(): void {
    this.#output.drained()
  }

  ended(): void {
    const error = new PerdureError('PERDURE_DISCONNECTED', 'The client has closed the connection.')
    this.#output.end(error)
    this.#leave(error)
  }

  async stop(): Promise<void> {
    this.#leave(new PerdureError('PERDURE_DISCONNECTED', 'The server has been stopped.'))
    await this.#running
  }

  /** Durus clients are told of changes when they ask. */
  tick(): boolean {
    return false
  }

  /** Takes no more requests. The one that is being answered is answered, unless it waits for the client or for others. */
  #leave(reason: PerdureError): void {
    this.#input.end(reason)
    this.#gone.abort(reason)
  }

  async #run(): Promise<void> {
    try {
      await this.#serve()
    } catch (error) {
      if (error !== this.#gone.signal.reason) this.#blame(error as Error)
    }
    this.#service.rootClaim.release(this)
    this.#leave(new PerdureError('PERDURE_CLOSED', 'The session has ended.'))
    this.#transport.close()
  }

  #blame(error: Error): void {
    const isFault = !(error instanceof PerdureError && CLIENT_FAULTS.has(error.code))
    if (isFault) this.#host.log({ event: 'requestFailed', request: 'a request of a Durus client', error })
    this.#host.blame(error)
  }

  async #serve(): Promise<void> {
    const first = await this.#input.command()
    const admitted = admit(this.#service.storage, this.#host.services.authenticator, this.#transport)
    if (first === COMMAND.version) await this.#greet(admitted)
    if (admitted instanceof PerdureError) throw admitted
    this.#host.welcomed()
    this.#host.log({ event: 'welcomed', protocol: 1, ...admitted, agent: 'Durus' })
    if (first === COMMAND.version) await this.#converse(admitted)
    else await this.#request(first, admitted)
  }

  /**
   * A client that may not be served is told of another version: then it says that the versions differ, instead of that
   * something is broken.
   */
  async #greet(admitted: Identity | PerdureError): Promise<void> {
    const version = await this.#input.int4()
    if (admitted instanceof PerdureError) await this.#sendInt4(DURUS_PROTOCOL + 1)
    else await this.#agree(version)
  }

  async #agree(version: number): Promise<void> {
    await this.#sendInt4(DURUS_PROTOCOL)
    if (version === DURUS_PROTOCOL) return
    throw new PerdureError('PERDURE_PROTOCOL', `The client speaks version ${version} of the Durus protocol, not 1.`)
  }

  async #converse(identity: Identity): Promise<void> {
    let goesOn = true
    while (goesOn) goesOn = await this.#request(await this.#input.command(), identity)
  }

  /** Returns false if this was the last request. */
  async #request(command: number, identity: Identity): Promise<boolean> {
    switch (command) {
      case COMMAND.close:
        return false
      case COMMAND.quit:
        this.#quit(identity)
        return false
      case COMMAND.pack:
        assertPermitted('pack', identity.role)
        void this.#service.pack(this.#host, identity.user)
        await this.#output.send(Buffer.of(STATUS.okay))
        return true
      case COMMAND.commit:
        await this.#commit(identity)
        return true
      default:
        await this.#answer(command)
        return true
    }
  }

  async #answer(command: number): Promise<void> {
    switch (command) {
      case COMMAND.version:
        return this.#agree(await this.#input.int4())
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
      default:
        throw new PerdureError('PERDURE_PROTOCOL', `The client has sent ${command}, which is no command of protocol 1.`)
    }
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
    const startedAt = performance.now()
    if (oid === ROOT_OID) await this.#awaitRoot()
    const out = new DurusWriter(512)
    this.#answerLoads(out, [oid], 0)
    this.#host.services.statistics.loadLatency.record(performance.now() - startedAt)
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
      this.#host.services.statistics.loads += at - next
      return at
    } finally {
      reading.release()
    }
  }

  async #commit({ user }: Identity): Promise<void> {
    // What takes long shall not take the others' time.
    await this.#told.gather()
    const exchange = new CommitExchange({
      service: this.#service,
      host: this.#host,
      input: this.#input,
      output: this.#output,
      told: this.#told,
      unused: this.#unused,
      user,
    })
    await this.#service.gate.alone(() => exchange.run(), this.#gone.signal)
  }

  #quit({ user, role }: Identity): void {
    assertPermitted('stop', role)
    if (!this.#host.services.allowStop) {
      throw new PerdureError('PERDURE_PERMISSION', 'The client has asked the server to stop, which it may not.')
    }
    this.#host.log({ event: 'stopRequested', user })
    this.#host.requestStop()
  }

  #sendInt4(value: number): Promise<void> {
    const out = new DurusWriter(4)
    out.int4(value)
    return this.#output.send(out.done())
  }
}

import type { Storage } from '../../src/core/storage.js'
import { type Authenticator, anonymous } from '../../src/server/authentication.js'
import { ChangeTeller } from '../../src/server/change-teller.js'
import { CommitGate } from '../../src/server/commit-gate.js'
import { OutcomeRegister } from '../../src/server/outcome-register.js'
import { FrameReader } from '../../src/server/protocol/frame-reader.js'
import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type Numbered,
  type ServerMessage,
} from '../../src/server/protocol/message-frames.js'
import { DEFAULT_LIMITS, type Limits, PREFACE, PROTOCOL_VERSION } from '../../src/server/protocol/messages.js'
import { ServerStatistics } from '../../src/server/server-statistics.js'
import { Session } from '../../src/server/session.js'
import type { SessionHost, SharedServices } from '../../src/server/session-host.js'
import type { ServerSession, Transport } from '../../src/server/transport.js'
import { TurnLimit } from '../../src/server/turn-limit.js'

/** The way to a client that takes what it is sent when the test says so. */
export class FakeTransport implements Transport {
  readonly peer = 'test'
  /** Whether everything is taken at once. */
  isOpen = true
  isPaused = false
  isClosed = false
  queuedBytes = 0
  /** The most that ever was queued. */
  mostQueuedBytes = 0
  readonly received: Numbered<ServerMessage>[] = []
  readonly #reader = new FrameReader(2 ** 31)
  #queued: Uint8Array[] = []

  write(buffers: readonly Uint8Array[]): void {
    this.#queued.push(...buffers)
    for (const { length } of buffers) this.queuedBytes += length
    this.mostQueuedBytes = Math.max(this.mostQueuedBytes, this.queuedBytes)
    if (this.isOpen) this.take()
  }

  /** The client takes all that is queued. */
  take(): void {
    for (const buffer of this.#queued.splice(0)) {
      this.#reader.push(Buffer.from(buffer))
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        this.received.push(decodeServerMessage(frame))
      }
    }
    this.queuedBytes = 0
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  close(): void {
    this.isClosed = true
  }
}

/** A session with a client that is played by the test, without a socket between them. */
export class SessionBench {
  readonly transport = new FakeTransport()
  readonly services: SharedServices
  readonly session: ServerSession
  readonly errors: Error[] = []
  readonly events: Parameters<SessionHost['log']>[0][] = []
  isWelcome = false

  constructor(
    storage: Storage,
    authenticator: Authenticator = anonymous('admin'),
    limits: Limits = DEFAULT_LIMITS,
    turns = new TurnLimit(Number.POSITIVE_INFINITY),
  ) {
    const gate = new CommitGate()
    this.services = {
      storage,
      authenticator,
      limits,
      statistics: new ServerStatistics(),
      outcomes: new OutcomeRegister(storage, gate),
      changes: new ChangeTeller(storage),
      gate,
      turns,
      serverId: 'test',
      databaseId: '',
      allowStop: false,
    }
    const host: SessionHost = {
      services: this.services,
      session: 1,
      welcomed: () => {
        this.isWelcome = true
      },
      blame: (error) => this.errors.push(error),
      log: (event) => this.events.push(event),
      requestStop: () => {},
    }
    this.session = new Session(this.transport, host)
  }

  /** Plays the client up to its welcome. */
  async letIn(): Promise<this> {
    this.session.receive(PREFACE)
    const hello = { versions: [PROTOCOL_VERSION], limits: this.services.limits, agent: 'test' }
    this.send(1, { type: 'hello', hello })
    await turn()
    return this
  }

  send(request: number, message: ClientMessage): void {
    this.session.receive(encodeClientMessage(request, message))
  }

  /** The client takes what is queued, and the session is told so. */
  drain(): void {
    this.transport.take()
    this.session.drained()
  }

  /** What has come for a request, by type. */
  typesFor(id: number): string[] {
    return this.transport.received.filter(({ request }) => request === id).map(({ message }) => message.type)
  }
}

/** Lets everything that is due happen. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

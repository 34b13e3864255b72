import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../../src/core/errors.js'
import { decodeRecord } from '../../../src/core/record.js'
import type { Snapshot } from '../../../src/core/storage.js'
import { anonymous } from '../../../src/server/authentication.js'
import { ChangeTeller } from '../../../src/server/change-teller.js'
import { CommitGate } from '../../../src/server/commit-gate.js'
import { Protocol1Service } from '../../../src/server/durus/service.js'
import { Protocol1Session } from '../../../src/server/durus/session.js'
import { OutcomeRegister } from '../../../src/server/outcome-register.js'
import { DEFAULT_LIMITS } from '../../../src/server/protocol/messages.js'
import { ServerStatistics } from '../../../src/server/server-statistics.js'
import type { SessionHost, SharedServices } from '../../../src/server/session-host.js'
import type { Transport } from '../../../src/server/transport.js'
import { TurnLimit } from '../../../src/server/turn-limit.js'
import { MemoryStorage } from '../../../src/storages/index.js'
import type { Random } from '../../../src/testing/random.js'
import { DelegatingStorage } from '../../isolation/delegating-storage.js'
import { hostileBytes } from './hostile-bytes.js'

/** What a client can be thrown out for. Anything else is a fault of the server. */
const EXPECTED = new Set(['PERDURE_LIMIT', 'PERDURE_PERMISSION', 'PERDURE_PROTOCOL', 'PERDURE_TIMEOUT'])

const LIMITS = {
  silenceMs: 60_000,
  commitMs: 60_000,
  rootMs: 60_000,
  transactionBytes: 20_000,
  bulkOids: 1000,
  unusedOids: 2000,
}

/** A new database every so many inputs. */
const INPUTS_PER_DATABASE = 100

/** Counts the snapshots that are open. */
class CountingStorage extends DelegatingStorage {
  open = 0

  override snapshot(): Snapshot {
    const snapshot = super.snapshot()
    const release = snapshot.release.bind(snapshot)
    this.open++
    snapshot.release = () => {
      this.open--
      release()
    }
    return snapshot
  }
}

/** A connection whose peer takes nothing at times. */
class FuzzTransport implements Transport {
  readonly peer = 'fuzz'
  queuedBytes = 0
  sentBytes = 0
  isPaused = false
  isClosed = false
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  write(buffers: readonly Uint8Array[]): void {
    if (this.isClosed) throw new Error('The session writes after it has closed the connection.')
    for (const { length } of buffers) this.sentBytes += length
    if (this.#random.below(10) === 0) this.queuedBytes = 2 ** 20
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

/** A server without sockets. */
class FuzzServer {
  readonly storage = new CountingStorage(new MemoryStorage({ serializer: 'pickle' }))
  readonly faults: Error[] = []
  readonly blames: Error[] = []
  readonly services: SharedServices
  readonly service: Protocol1Service

  constructor(allowStop: boolean) {
    const { storage } = this
    const gate = new CommitGate()
    this.service = new Protocol1Service({ storage, gate, limits: LIMITS })
    this.services = {
      storage,
      authenticator: anonymous('admin'),
      limits: DEFAULT_LIMITS,
      statistics: new ServerStatistics(),
      outcomes: new OutcomeRegister(storage, gate),
      gate,
      changes: new ChangeTeller(storage),
      turns: new TurnLimit(),
      serverId: '',
      databaseId: '',
      allowStop,
    }
  }

  connect(random: Random): { session: Protocol1Session; transport: FuzzTransport } {
    const transport = new FuzzTransport(random)
    const host: SessionHost = {
      services: this.services,
      session: 1,
      welcomed: () => {},
      blame: (error) => this.blames.push(error),
      log: (event) => {
        if (event.event === 'requestFailed' || event.event === 'packFailed') this.faults.push(event.error)
      },
      requestStop: () => {},
    }
    return { session: new Protocol1Session(this.service, transport, host), transport }
  }

  /** Throws if something is left of sessions that have all ended. */
  check(): void {
    const { gate } = this.services
    const fault = this.faults[0] ?? this.blames.find((error) => !isExpected(error))
    if (fault !== undefined) throw new Error(`The server is at fault: ${fault.message}`, { cause: fault })
    if (gate.inside + gate.waiting > 0) throw new Error(`${gate.inside} in the gate, ${gate.waiting} before it.`)
    if (this.service.rootClaim.waiting > 0) throw new Error('A session still waits for the root.')
    if (this.storage.open > 0) throw new Error(`${this.storage.open} snapshots were not released.`)
  }

  /** Every record that was stored makes sense. */
  async checkRecords(): Promise<void> {
    const snapshot = this.storage.snapshot()
    for await (const { data } of snapshot.records()) decodeRecord(data)
    snapshot.release()
  }
}

function isExpected(error: Error): boolean {
  return error instanceof PerdureError && EXPECTED.has(error.code)
}

export interface FuzzResult {
  readonly bytes: number
  readonly sentBytes: number
  readonly commits: number
  readonly blames: number
  /** The sessions, none of which anything should hold on to. */
  readonly sessions: readonly WeakRef<object>[]
}

/**
 * Gives sessions of protocol 1 inputs that make sense to some point: requests of all kinds, cut, changed, repeated and mixed
 * with noise, in chunks of any size, from clients that go away at any moment.
 */
export async function fuzzProtocol1(random: Random, inputs: number): Promise<FuzzResult> {
  let server = new FuzzServer(false)
  const total = { bytes: 0, sentBytes: 0, commits: 0, blames: 0 }
  const sessions: WeakRef<object>[] = []
  for (let i = 0; i < inputs; i++) {
    if (i % INPUTS_PER_DATABASE === 0) {
      await server.checkRecords()
      server = new FuzzServer(random.below(2) === 0)
    }
    const before = server.services.statistics.commits
    const clients = Array.from({ length: 1 + random.below(3) }, () => server.connect(random))
    for (const { session } of clients) sessions.push(new WeakRef(session))
    const scripts = clients.map(() => hostileBytes(random))
    for (const { length } of scripts) total.bytes += length
    await play(random, clients, scripts)
    for (const { transport } of clients) total.sentBytes += transport.sentBytes
    await settle(server, clients)
    total.commits += server.services.statistics.commits - before
    total.blames += server.blames.splice(0).length
  }
  return { ...total, sessions }
}

type Client = ReturnType<FuzzServer['connect']>

/** Gives each session its bytes, in turns and in pieces. */
async function play(random: Random, clients: readonly Client[], scripts: readonly Buffer[]): Promise<void> {
  const left = [...scripts]
  let rounds = 0
  while (left.some(({ length }) => length > 0) && rounds++ < 200) {
    const i = random.below(clients.length)
    const { session, transport } = clients[i] as Client
    const script = left[i] as Buffer
    if (!transport.isPaused && script.length > 0 && !transport.isClosed) {
      const count = Math.min(script.length, 1 + random.below(random.pick([2, 50, 5000])))
      session.receive(Buffer.from(script.subarray(0, count)))
      left[i] = script.subarray(count)
    } else if (transport.isClosed) left[i] = Buffer.alloc(0)
    if (random.below(3) > 0) await nextTurn()
    if (transport.queuedBytes > 0 && random.below(4) > 0) {
      transport.queuedBytes = 0
      session.drained()
    }
    if (random.below(100) === 0) session.ended()
  }
}

async function settle(server: FuzzServer, clients: readonly Client[]): Promise<void> {
  for (const { session } of clients) session.ended()
  await Promise.all(clients.map(({ session }) => session.stop()))
  // A pack that a client has asked for may go on behind it.
  while (server.storage.open > 0) await nextTurn()
  server.check()
}

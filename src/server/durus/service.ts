import { PerdureError } from '../../core/errors.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import { PICKLE } from '../../core/pickle.js'
import type { Snapshot, Storage } from '../../core/storage.js'
import type { CommitGate } from '../commit-gate.js'
import { DEFAULT_PROTOCOL_1_LIMITS, type Protocol1Limits } from './limits.js'
import { RootClaim } from './root-claim.js'

export type Protocol1Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, details?: object) => void

export interface Protocol1Options {
  readonly storage: Storage
  /** The one that all commits of the server pass. */
  readonly gate: CommitGate
  /** Packs the storage: called for `P`, never twice at a time. */
  readonly pack: () => Promise<unknown>
  /** Ends the server, for `Q`. Without it the client that asks is disconnected. */
  readonly stop?: (() => void) | undefined
  readonly limits?: Partial<Protocol1Limits> | undefined
}

/** What happened since the server was started. */
export interface Protocol1Statistics {
  /** Records asked for. */
  loads: number
  commits: number
  conflicts: number
}

/** What all clients of protocol 1 have in common. */
export class Protocol1Service {
  readonly storage: Storage
  readonly gate: CommitGate
  readonly limits: Protocol1Limits
  readonly stop: (() => void) | undefined
  readonly rootClaim = new RootClaim()
  readonly statistics: Protocol1Statistics = { loads: 0, commits: 0, conflicts: 0 }
  readonly #pack: () => Promise<unknown>
  #packing = false
  #rootExists = false

  constructor({ storage, gate, pack, stop, limits }: Protocol1Options) {
    this.storage = storage
    this.gate = gate
    this.stop = stop
    this.limits = { ...DEFAULT_PROTOCOL_1_LIMITS, ...limits }
    this.#pack = pack
  }

  /** Why no client of protocol 1 can be served. */
  refusal(): PerdureError | undefined {
    const { serializer, location } = this.storage
    if (serializer === PICKLE) return undefined
    return new PerdureError(
      'PERDURE_SERIALIZER',
      `A Durus client cannot use ${location}: its serializer is ${serializer}, and Durus clients need one created with ${PICKLE}.`,
      { details: { path: location, stored: serializer, asked: PICKLE } },
    )
  }

  /** Calls `use` with the newest state. */
  atNewest<T>(use: (snapshot: Snapshot) => T): T {
    const snapshot = this.storage.snapshot()
    try {
      return use(snapshot)
    } finally {
      snapshot.release()
    }
  }

  /** Once there is a root it stays. */
  rootExists(): boolean {
    this.#rootExists ||= this.atNewest((snapshot) => snapshot.load(ROOT_OID) !== undefined)
    return this.#rootExists
  }

  /**
   * Oids for a client: that of the root comes first in an empty database, as Durus clients expect.
   *
   * @throws PerdureError as `allocateOids` of the storage
   */
  newOids(client: object, count: number): Oid[] {
    const oids: Oid[] = []
    if (count > 0 && !this.rootExists() && this.rootClaim.handOut(client)) oids.push(ROOT_OID)
    const rest = count - oids.length
    const first = rest > 0 ? this.storage.allocateOids(rest) : 0
    for (let i = 0; i < rest; i++) oids.push(first + i)
    return oids
  }

  /** Begins to pack, unless that is being done, and does not wait for the end. */
  pack(log: Protocol1Log): void {
    if (this.#packing) {
      log('info', 'a client has asked for a pack while one was under way')
      return
    }
    log('info', 'a client has asked for a pack')
    void this.#runPack(log)
  }

  async #runPack(log: Protocol1Log): Promise<void> {
    this.#packing = true
    try {
      await this.#pack()
    } catch (error) {
      log('warn', 'the pack that a client has asked for was not done', { error })
    } finally {
      this.#packing = false
    }
  }
}

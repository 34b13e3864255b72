import type { PerdureError } from '../../core/errors.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import type { Snapshot, Storage } from '../../core/storage.js'
import type { CommitGate } from '../commit-gate.js'
import type { SessionHost } from '../session-host.js'
import { DEFAULT_PROTOCOL_1_LIMITS, type Protocol1Limits } from './limits.js'
import { RootClaim } from './root-claim.js'

export interface Protocol1Options {
  readonly storage: Storage
  /** The one that all commits of the server pass. */
  readonly gate: CommitGate
  readonly limits?: Partial<Protocol1Limits> | undefined
}

/** What all clients of protocol 1 have in common. */
export class Protocol1Service {
  readonly storage: Storage
  readonly gate: CommitGate
  readonly limits: Protocol1Limits
  readonly rootClaim = new RootClaim()
  #isPacking = false
  #rootExists = false

  constructor({ storage, gate, limits }: Protocol1Options) {
    this.storage = storage
    this.gate = gate
    this.limits = { ...DEFAULT_PROTOCOL_1_LIMITS, ...limits }
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

  /** Packs the storage, unless that is being done for another client. What goes wrong is for the log alone. */
  async pack(host: SessionHost, user: string): Promise<void> {
    if (this.#isPacking) return
    this.#isPacking = true
    const startedAt = performance.now()
    try {
      const result = await this.storage.pack()
      host.log({ event: 'packed', user, result, durationMs: performance.now() - startedAt })
    } catch (error) {
      const durationMs = performance.now() - startedAt
      host.log({ event: 'packFailed', user, error: error as PerdureError, durationMs })
    } finally {
      this.#isPacking = false
    }
  }
}

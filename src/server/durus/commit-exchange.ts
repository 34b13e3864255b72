import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Conflict, PerdureError } from '../../core/errors.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import type { CommitResult, RecordWrite } from '../../core/storage.js'
import type { SessionHost } from '../session-host.js'
import { oidList, STATUS } from './format.js'
import type { Input } from './input.js'
import type { Output } from './output.js'
import type { Protocol1Service } from './service.js'
import type { Told } from './told.js'
import { readTransaction } from './transaction-reader.js'

/** So many objects are looked up between two turns of the event loop. */
const LOOKED_UP = 256

/** The parts of a session that take part in a commit. */
export interface Committer {
  readonly service: Protocol1Service
  readonly host: SessionHost
  readonly input: Input
  readonly output: Output
  readonly told: Told
  readonly unused: Set<Oid>
  /** Whom the transactions are stored under. */
  readonly user: string
}

/**
 * What happens after a client has sent `C`, while nobody else commits: it gets the list of changes, then sends its
 * transaction, which is stored.
 */
export class CommitExchange {
  readonly #committer: Committer

  constructor(committer: Committer) {
    this.#committer = committer
  }

  /**
   * @throws PerdureError whatever ends the session: `PERDURE_PROTOCOL`, `PERDURE_TIMEOUT`, `PERDURE_LIMIT`, and what
   *   `commit` of the storage throws. Nothing is stored then, or the storage refuses further commits.
   */
  async run(): Promise<void> {
    const { told, output } = this.#committer
    await told.gather()
    const writes = await this.#withinTime(async () => {
      await output.send(oidList(told.tell()))
      const { input, service } = this.#committer
      return readTransaction(input, service.limits.transactionBytes)
    })
    if (writes.length === 0) return
    const stored = (await this.#areThere(writes)) ? await this.#store(writes) : this.#refuse([])
    await output.send(Buffer.of(stored ? STATUS.okay : STATUS.invalid))
  }

  async #withinTime<T>(work: () => Promise<T>): Promise<T> {
    const { input, output, service } = this.#committer
    const { commitMs } = service.limits
    const timer = setTimeout(() => {
      const message = `The client has kept all others from committing for ${commitMs} ms.`
      const error = new PerdureError('PERDURE_TIMEOUT', message, { details: { timeoutMs: commitMs } })
      input.end(error)
      output.end(error)
    }, commitMs)
    try {
      return await work()
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * A client may store objects that there are, and new ones with oids that it was given. False if it stores one that
   * was removed and of which it need not know that: it drops what it has then, as after any conflict.
   */
  async #areThere(writes: readonly RecordWrite[]): Promise<boolean> {
    const { service, told, unused } = this.#committer
    if (unused.has(ROOT_OID) && writes.some(({ oid }) => oid === ROOT_OID) && service.rootExists()) {
      throw surprise(ROOT_OID, 'was given it for a new root, but another one has made the root')
    }
    const known = writes.map(({ oid }) => oid).filter((oid) => oid !== ROOT_OID && !unused.has(oid))
    for (let next = 0; next < known.length; next += LOOKED_UP) {
      if (next > 0) await nextTurn()
      const some = known.slice(next, next + LOOKED_UP)
      const missing = service.atNewest((snapshot) => some.find((oid) => snapshot.load(oid) === undefined))
      if (missing === undefined) continue
      if (told.mayBeRemoved(missing)) return false
      throw surprise(missing, 'was not given this oid, and there is no such object')
    }
    return true
  }

  /** Returns false if there was a conflict. */
  async #store(writes: readonly RecordWrite[]): Promise<boolean> {
    const { service, host, told, unused, user } = this.#committer
    const { statistics } = host.services
    const startedAt = performance.now()
    const { tid, conflicts } = await this.#commit(writes)
    const durationMs = performance.now() - startedAt
    statistics.commitLatency.record(durationMs)
    if (tid === undefined) return this.#refuse(conflicts)
    told.committed(tid)
    for (const { oid } of writes) unused.delete(oid)
    if (service.rootExists()) service.rootClaim.settle()
    statistics.commits++
    host.log({ event: 'committed', user, tid, records: writes.length, durationMs })
    return true
  }

  #refuse(conflicts: readonly Conflict[]): false {
    const { host, user } = this.#committer
    host.services.statistics.conflicts++
    host.log({ event: 'conflict', user, conflicts: conflicts.length })
    return false
  }

  /** A reference to an object that a pack has removed is answered as a conflict: the client then drops what it has. */
  async #commit(writes: readonly RecordWrite[]): Promise<CommitResult> {
    const { service, told, user } = this.#committer
    try {
      return await service.storage.commit({ base: told.tid, reads: [], writes, user })
    } catch (error) {
      if (!(error instanceof PerdureError) || error.code !== 'PERDURE_OBJECT_MISSING') throw error
      return { conflicts: [] }
    }
  }
}

function surprise(oid: Oid, why: string): PerdureError {
  return new PerdureError('PERDURE_PROTOCOL', `The client stores object ${oid}, but it ${why}.`, { details: { oid } })
}

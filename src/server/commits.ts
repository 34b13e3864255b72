import type { Conflict } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { CommitRequest } from '../core/storage.js'
import type { Identity } from './authentication.js'
import type { OidAllowance } from './oid-allowance.js'
import type { Reply, Request } from './protocol/messages.js'
import type { SessionHost } from './session-host.js'

/** While commits of one client hold more than this, nothing more is read from it. */
const MOST_COMMIT_BYTES = 64 * 1024 * 1024

/** What an object takes in memory that is written, besides its bytes, and one that was read; in a frame, it may be one or two. */
const WRITE_BYTES = 256
const READ_BYTES = 8

/** What a frame with conflicts takes besides them, and a conflict besides the name of its class, at most. */
const FRAME_BYTES = 32
const CONFLICT_BYTES = 20

type Of<T extends Request['type']> = Extract<Request, { readonly type: T }>

/** The commits of one client. */
export class Commits {
  readonly #host: SessionHost
  readonly #identity: Identity
  readonly #cover: (tid: Tid) => void
  readonly #limitBytes: number
  readonly #oids: OidAllowance
  #bytesUnderWay = 0

  /**
   * @param limitBytes the longest frame that the client takes
   * @param oids hears of the objects that are stored
   * @param cover tells the client what has changed up to a transaction, before it learns of it
   */
  constructor(
    host: SessionHost,
    identity: Identity,
    limitBytes: number,
    oids: OidAllowance,
    cover: (tid: Tid) => void,
  ) {
    this.#host = host
    this.#identity = identity
    this.#limitBytes = limitBytes
    this.#oids = oids
    this.#cover = cover
  }

  /** Whether those under way are enough for now. */
  get isBusy(): boolean {
    return this.#bytesUnderWay >= MOST_COMMIT_BYTES
  }

  async commit(request: Of<'commit'>): Promise<Reply> {
    const { statistics, outcomes } = this.#host.services
    const { user } = this.#identity
    const startedAt = performance.now()
    const bytes = memoryOf(request)
    this.#bytesUnderWay += bytes
    try {
      const { tid, conflicts } = await outcomes.commit(request.token, this.#asCommit(request))
      const durationMs = performance.now() - startedAt
      statistics.commitLatency.record(durationMs)
      if (tid === undefined) {
        statistics.conflicts++
        this.#host.log({ event: 'conflict', user, conflicts: conflicts.length })
        return { type: 'conflicts', conflicts: fitting(conflicts, this.#limitBytes) }
      }
      statistics.commits++
      this.#oids.stored(request.writes)
      this.#cover(tid)
      this.#host.log({ event: 'committed', user, tid, records: request.writes.length, durationMs })
      return { type: 'committed', tid }
    } finally {
      this.#bytesUnderWay -= bytes
    }
  }

  async outcome({ token, base }: Of<'outcome'>): Promise<Reply> {
    const result = await this.#host.services.outcomes.outcome(token, base)
    const tid = result.outcome === 'committed' ? result.tid : 0
    this.#cover(tid)
    return { type: 'outcome', outcome: result.outcome, tid }
  }

  /** Who has said who they are commits under no other name. */
  #asCommit({ base, reads, writes, note, user }: Of<'commit'>): CommitRequest {
    return { base, reads, writes, note, user: this.#identity.user || user }
  }
}

/** The first ones, as many as there is room for: that there is a conflict matters more than where else there are some. */
function fitting(conflicts: readonly Conflict[], limitBytes: number): readonly Conflict[] {
  let bytes = FRAME_BYTES
  const end = conflicts.findIndex(({ className }) => {
    bytes += CONFLICT_BYTES + Buffer.byteLength(className)
    return bytes > limitBytes
  })
  return end < 0 ? conflicts : conflicts.slice(0, end)
}

function memoryOf({ reads, writes }: Of<'commit'>): number {
  return writes.reduce((sum, { data }) => sum + data.length + WRITE_BYTES, reads.length * READ_BYTES)
}

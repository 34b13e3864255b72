import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { CommitRequest, CommitResult, Storage } from '../core/storage.js'
import type { CommitGate } from './commit-gate.js'
import { keyOf, type Outcome, OutcomeSearch } from './outcome-search.js'

export interface OutcomeLimits {
  /** How many commits, fences and doubts are remembered, and looked for, each. Default 65,536. */
  readonly remembered?: number
  /** How many past transactions are looked at for one token. Default 100,000. */
  readonly searched?: number
}

/** After a rejection with one of these the commit has surely not happened. */
const SURELY_REFUSED: ReadonlySet<unknown> = new Set([
  'PERDURE_ARGUMENT',
  'PERDURE_DECODE',
  'PERDURE_LIMIT',
  'PERDURE_NO_SPACE',
  'PERDURE_OBJECT_MISSING',
  'PERDURE_READONLY',
  'PERDURE_RECORD_TOO_LARGE',
  'PERDURE_UNSUPPORTED',
])

/**
 * Knows what became of commits, by their tokens, for clients that have lost the connection on which they waited for the
 * answer. All commits of a server go through its one register. What was committed before it began, or too long ago to
 * be remembered, it looks up in the history, if the storage has one.
 */
export class OutcomeRegister {
  readonly #storage: Storage
  readonly #gate: CommitGate
  readonly #remembered: number
  readonly #search: OutcomeSearch
  readonly #underWay = new Map<string, Promise<unknown>>()
  readonly #committed = new Map<string, Tid>()
  /** Whoever asks for a commit that has not been seen has been told that it will not happen. */
  readonly #fenced = new Map<string, Tid>()
  /** Commits that failed in a way that leaves open what is on the disk. */
  readonly #doubtful = new Set<string>()
  /** Every commit with a token and a later tid is known here. */
  #completeSince: Tid
  /** Fences of commits with a base up to this have been forgotten, so these commits are all refused. */
  #fencedUpTo: Tid = -1
  #doubtfulForgotten = false

  /** @param gate that all commits of the server pass */
  constructor(storage: Storage, gate: CommitGate, { remembered = 65_536, searched = 100_000 }: OutcomeLimits = {}) {
    this.#storage = storage
    this.#gate = gate
    this.#remembered = remembered
    this.#search = new OutcomeSearch(storage, searched, remembered)
    this.#completeSince = newestTid(storage)
  }

  /**
   * `storage.commit`, under this token.
   *
   * @throws PerdureError as `storage.commit` does; `PERDURE_DISCONNECTED` if somebody has been told that this commit
   *   was refused; `PERDURE_ARGUMENT` if the token was used before
   */
  async commit(token: Uint8Array, request: CommitRequest): Promise<CommitResult> {
    const key = keyOf(token)
    if (this.#fenced.has(key) || request.base <= this.#fencedUpTo) throw fencedError()
    if (this.#underWay.has(key) || this.#committed.has(key)) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        'A commit with this token has been made. Each needs a token of its own.',
      )
    }
    const commit = this.#gate.together(() => this.#storage.commit({ ...request, token }))
    if (request.writes.length === 0) return commit
    const noted = this.#noteResult(key, commit)
    this.#underWay.set(key, noted)
    return noted
  }

  async #noteResult(key: string, commit: Promise<CommitResult>): Promise<CommitResult> {
    try {
      const result = await commit
      if (result.tid !== undefined) this.#noteCommitted(key, result.tid)
      return result
    } catch (error) {
      if (!SURELY_REFUSED.has((error as PerdureError).code)) this.#noteDoubt(key)
      throw error
    } finally {
      this.#underWay.delete(key)
    }
  }

  /**
   * What became of the commit with this token. Waits for it if it is under way. A commit that has not been seen is
   * fenced: it is refused should it still come.
   *
   * @param base of the commit
   * @throws PerdureError `PERDURE_ARGUMENT` if no commit can have this base; `PERDURE_BUSY` if too many are looked for
   */
  async outcome(token: Uint8Array, base: Tid): Promise<Outcome> {
    if (base > newestTid(this.#storage)) {
      throw new PerdureError('PERDURE_ARGUMENT', `No commit has the base ${base}: there is no such transaction yet.`)
    }
    const key = keyOf(token)
    // Nothing may happen between the last look at what is under way and the fence.
    for (let commit = this.#underWay.get(key); commit !== undefined; commit = this.#underWay.get(key)) {
      await commit.catch(() => {})
    }
    const tid = this.#committed.get(key)
    if (tid !== undefined) return { outcome: 'committed', tid }
    if (this.#doubtful.has(key)) return { outcome: 'unknown' }
    const isFenced = this.#fence(key, base)
    if (this.#doubtfulForgotten) return { outcome: 'unknown' }
    const isKnown = base >= this.#completeSince
    const found: Outcome = isKnown ? { outcome: 'refused' } : await this.#search.find(key, base, this.#completeSince)
    return found.outcome === 'refused' && !isFenced ? { outcome: 'unknown' } : found
  }

  #noteCommitted(key: string, tid: Tid): void {
    this.#committed.set(key, tid)
    if (this.#committed.size <= this.#remembered) return
    const [oldest] = this.#committed
    if (oldest === undefined) return
    this.#committed.delete(oldest[0])
    this.#completeSince = Math.max(this.#completeSince, oldest[1])
  }

  #noteDoubt(key: string): void {
    if (this.#doubtful.size < this.#remembered) this.#doubtful.add(key)
    else this.#doubtfulForgotten = true
  }

  /**
   * @returns false if there is no room, since the fence that would have to be forgotten is for the newest base there
   *   is. All commits would be refused for ever then: without one, there is no newer base.
   */
  #fence(key: string, base: Tid): boolean {
    const [oldest] = this.#fenced
    if (oldest !== undefined && this.#fenced.size >= this.#remembered && !this.#fenced.has(key)) {
      if (oldest[1] >= newestTid(this.#storage)) return false
      this.#fenced.delete(oldest[0])
      this.#fencedUpTo = Math.max(this.#fencedUpTo, oldest[1])
    }
    this.#fenced.set(key, base)
    return true
  }
}

/** The tid of the newest transaction. */
export function newestTid(storage: Storage): Tid {
  const snapshot = storage.snapshot()
  snapshot.release()
  return snapshot.tid
}

function fencedError(): PerdureError {
  return new PerdureError(
    'PERDURE_DISCONNECTED',
    'The commit came after its client had asked about it on another connection, so it was refused. Run it again.',
  )
}

import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { Storage } from '../core/storage.js'

/** What became of a commit. */
export type Outcome =
  | { readonly outcome: 'committed'; readonly tid: Tid }
  /** It was not stored, and never will be. */
  | { readonly outcome: 'refused' }
  /** Nobody can tell any more. */
  | { readonly outcome: 'unknown' }

/** A commit that is looked for. */
interface Search {
  readonly key: string
  /** It can only be a transaction after this one, up to {@link upTo}. */
  readonly base: Tid
  readonly upTo: Tid
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

const UNKNOWN: Outcome = { outcome: 'unknown' }

/**
 * Looks commits up in the history of a storage, by their tokens. The history is read once at a time, for all who wait:
 * whoever comes meanwhile waits for the next reading. So however many are looked for, the server reads at most as many
 * transactions as one search may take, over and over, and nobody waits for more than two readings.
 */
export class OutcomeSearch {
  readonly #storage: Storage
  readonly #searched: number
  readonly #mostWaiting: number
  #waiting: Search[] = []
  #isRunning = false

  /**
   * @param searched how many past transactions are looked at for one commit
   * @param mostWaiting how many commits may be waited for
   */
  constructor(storage: Storage, searched: number, mostWaiting: number) {
    this.#storage = storage
    this.#searched = searched
    this.#mostWaiting = mostWaiting
  }

  /**
   * Looks for a commit among the transactions after `base`, up to `upTo`.
   *
   * @param key of its token
   * @returns `refused` only if all of these transactions have been looked at
   * @throws PerdureError `PERDURE_BUSY` if too many are waiting already, and what the storage throws
   */
  async find(key: string, base: Tid, upTo: Tid): Promise<Outcome> {
    if (!this.#storage.capabilities.has('history') || upTo - base > this.#searched) return UNKNOWN
    if (this.#waiting.length >= this.#mostWaiting) {
      throw new PerdureError(
        'PERDURE_BUSY',
        `The server is looking for ${this.#mostWaiting} commits of lost connections already. Ask again later.`,
        { details: { limit: this.#mostWaiting } },
      )
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, base, upTo, resolve, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // Those who come in this turn of the event loop are looked for together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const searches = this.#waiting
      this.#waiting = []
      await this.#search(searches.toSorted((a, b) => a.base - b.base))
    }
    this.#isRunning = false
  }

  /** @param searches by their bases */
  async #search(searches: readonly Search[]): Promise<void> {
    for (let first = 0; first < searches.length; first++) {
      try {
        await this.#readFor(searches.slice(first))
        return
      } catch (error) {
        if ((error as PerdureError).code !== 'PERDURE_HISTORY') {
          for (const { reject } of searches.slice(first)) reject(error)
          return
        }
        // The history does not go back as far as the oldest of them.
        searches[first]?.resolve(UNKNOWN)
      }
    }
  }

  async #readFor(searches: readonly Search[]): Promise<void> {
    const from = (searches[0] as Search).base + 1
    const to = searches.reduce((last, { upTo }) => Math.max(last, upTo), 0)
    const wanted = new Set(searches.map(({ key }) => key))
    const found = new Map<string, Tid>()
    let expected = from
    // A pack takes together what led to the oldest state that it keeps: then some are missing.
    let lastMissing = 0
    for await (const { tid, token } of this.#storage.transactions({ from, to })) {
      if (tid > expected) lastMissing = tid - 1
      expected = tid + 1
      const key = token === undefined ? undefined : keyOf(token)
      if (key !== undefined && wanted.has(key)) found.set(key, tid)
    }
    for (const { key, base, upTo, resolve } of searches) {
      const tid = found.get(key)
      if (tid !== undefined && tid > base && tid <= upTo) resolve({ outcome: 'committed', tid })
      else resolve(lastMissing <= base && expected > upTo ? { outcome: 'refused' } : UNKNOWN)
    }
  }
}

/** A token as the key of a map. */
export function keyOf(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString('latin1')
}

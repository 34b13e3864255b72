import type { Oid, Tid } from '../../src/core/oid.js'
import { recordReferences } from '../../src/core/record.js'
import type { CommitRequest } from '../../src/core/storage.js'

/** What should become of a commit. */
export type Expectation = { readonly tid: Tid } | { readonly conflicts: readonly Oid[] }

interface Transaction {
  /** The newest transaction before the batch that this one was made in. */
  readonly before: Tid
  readonly request: CommitRequest
  readonly writes: ReadonlyMap<Oid, Uint8Array>
  readonly pack?: Pack
}

/** What a pack does: of objects that it removes, no version is left that is not newer than `historyFrom`. */
interface Pack {
  readonly historyFrom: Tid
  readonly removed: ReadonlySet<Oid>
}

interface Version {
  readonly tid: Tid
  readonly data: Uint8Array
}

/**
 * What a database should hold, kept in the plainest way: a list of transactions. It knows nothing of files, and it
 * decides for itself which commits conflict.
 */
export class Oracle {
  /** By tid: the first transaction has tid 1. */
  readonly #transactions: Transaction[]
  /** The newest transaction whose commit has been answered. */
  acknowledged: Tid

  constructor(transactions: readonly Transaction[] = [], acknowledged: Tid = 0) {
    this.#transactions = [...transactions]
    this.acknowledged = acknowledged
  }

  /** The newest transaction that may be there. */
  get newest(): Tid {
    return this.#transactions.length
  }

  /** Notes commits that are about to be made together. Whether they will survive is not known before the answer. */
  submit(batch: readonly CommitRequest[]): Expectation[] {
    const before = this.newest
    return batch.map((request) => {
      const { base, reads, writes } = request
      const oids = new Set([...reads, ...writes.map(({ oid }) => oid)])
      const conflicts = [...oids].filter((oid) => this.#changedAfter(oid, base))
      if (conflicts.length > 0) return { conflicts }
      if (writes.length === 0) return { tid: base }
      const copies = new Map(writes.map(({ oid, data }) => [oid, Uint8Array.from(data)]))
      this.#transactions.push({ before, request, writes: copies })
      return { tid: this.newest }
    })
  }

  #changedAfter(oid: Oid, base: Tid): boolean {
    return (this.find(oid, this.newest)?.tid ?? 0) > base
  }

  /** Notes that a pack is about to be made, of which there will be a transaction. */
  submitPack(historyFrom: Tid): Tid {
    const kept = this.#keptBy(historyFrom)
    const removed = new Set(this.oids().filter((oid) => !kept.has(oid)))
    const request = { base: this.newest, reads: [], writes: [] }
    const pack = { historyFrom, removed }
    this.#transactions.push({ before: this.newest, request, writes: new Map(), pack })
    return this.newest
  }

  /** What can be reached from the root, and what later transactions write, refer to, or bring back. */
  #keptBy(historyFrom: Tid): Set<Oid> {
    const kept = new Set<Oid>()
    const later = this.#transactions.slice(historyFrom).flatMap(({ writes }) => [...writes])
    const queue = [0, ...later.flatMap(([oid, data]) => [oid, ...recordReferences(data)])]
    for (let oid = queue.pop(); oid !== undefined; oid = queue.pop()) {
      if (kept.has(oid)) continue
      kept.add(oid)
      const version = this.find(oid, historyFrom)
      if (version !== undefined) queue.push(...recordReferences(version.data))
    }
    return kept
  }

  /** From here on the past can be read. */
  get historyFrom(): Tid {
    return this.#transactions.findLast(({ pack }) => pack !== undefined)?.pack?.historyFrom ?? 0
  }

  /** What was asked for when this transaction was made; undefined for that of a pack. */
  request(tid: Tid): CommitRequest | undefined {
    const transaction = this.#transactions[tid - 1]
    return transaction?.pack === undefined ? transaction?.request : undefined
  }

  /** The newest transaction before the batch of this one. */
  beforeBatchOf(tid: Tid): Tid {
    return this.#transactions[tid - 1]?.before ?? 0
  }

  acknowledge(tid: Tid): void {
    this.acknowledged = Math.max(this.acknowledged, tid)
  }

  /** The newest version of an object that is not newer than `tid`. */
  find(oid: Oid, tid: Tid): Version | undefined {
    const goneUpTo = this.#goneUpTo(oid)
    for (let at = Math.min(tid, this.newest); at > goneUpTo; at--) {
      const data = this.#transactions[at - 1]?.writes.get(oid)
      if (data !== undefined) return { tid: at, data }
    }
    return undefined
  }

  #goneUpTo(oid: Oid): Tid {
    const last = this.#transactions.findLast(({ pack }) => pack?.removed.has(oid))
    return last?.pack?.historyFrom ?? 0
  }

  /** The oids of all objects that are there now. */
  living(): Oid[] {
    return this.oids().filter((oid) => this.find(oid, this.newest) !== undefined)
  }

  /** Every oid that has ever been written. */
  oids(): Oid[] {
    return [...new Set(this.#transactions.flatMap(({ writes }) => [...writes.keys()]))]
  }

  /** A copy in which the transactions after `newest` have never happened. */
  fork(newest: Tid = this.newest): Oracle {
    return new Oracle(this.#transactions.slice(0, newest), Math.min(this.acknowledged, newest))
  }
}

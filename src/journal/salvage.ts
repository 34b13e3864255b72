import type { Oid, Tid } from '../core/oid.js'
import { MIN_TRANSACTION_BYTES, type TransactionHeader } from './format.js'
import { GapScanner, type GapVisitor } from './gap-scanner.js'
import type { OpenFile } from './journal-file.js'
import { NumberRows } from './number-rows.js'
import type { Gap } from './survey.js'

/** The transactions that may have stood in the gaps of a journal. */
export class MissingTids {
  readonly #gaps: readonly Gap[]
  readonly #first: Tid
  readonly #last: Tid

  /** @param maxOffset no offset in the journal has ever been as large */
  constructor(gaps: readonly Gap[], maxOffset: number) {
    this.#gaps = gaps
    this.#first = (gaps[0]?.tidBefore ?? 0) + 1
    const last = gaps.at(-1)
    const unknown = last === undefined ? 0 : Math.floor((maxOffset - last.from) / MIN_TRANSACTION_BYTES)
    this.#last = last === undefined ? 0 : (last.tidAfter ?? last.tidBefore + unknown + 1) - 1
  }

  has(tid: Tid): boolean {
    return this.gapOf(tid) !== undefined
  }

  gapOf(tid: Tid): Gap | undefined {
    if (tid < this.#first || tid > this.#last) return undefined
    // The last gap that begins behind an older transaction.
    let low = 0
    let high = this.#gaps.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((this.#gaps[middle] as Gap).tidBefore < tid) low = middle
      else high = middle
    }
    const gap = this.#gaps[low]
    return gap !== undefined && tid < (gap.tidAfter ?? this.#last + 1) ? gap : undefined
  }
}

/** What could be proved good in the gaps of a journal. `home` is the offset where a thing belongs. */
export class Salvage implements GapVisitor {
  readonly transactions = new NumberRows('tid', 'at', 'home', 'length')
  /** Headers of transactions that are not whole. */
  readonly partials = new NumberRows('tid', 'home', 'time', 'records')
  readonly records = new NumberRows('tid', 'at', 'home')
  /** Records that were there and are damaged. */
  readonly damaged = new NumberRows('oid', 'home')
  /** Every byte before this offset had once been on the disk, as some transaction says. */
  durable = 0
  nextOid: Oid = 0
  readonly #missing: MissingTids
  readonly #isPacked: boolean

  /** @param isPacked transactions may hold older records than their own, because a pack has made the journal */
  constructor(missing: MissingTids, isPacked: boolean) {
    this.#missing = missing
    this.#isPacked = isPacked
  }

  /** Looks through one gap, in small steps. Yields how far it has got. */
  scan(file: OpenFile, seed: number, gap: Gap, maxOffset: number): Generator<number> {
    const isMissing = (tid: Tid) => this.#missing.has(tid)
    const isPacked = this.#isPacked
    const transactionOf = (tid: Tid) => {
      if (this.#missing.has(tid)) return tid
      // Of which one of those in the gap it was does not matter: it is an older version in all of them.
      return isPacked && tid > 0 && tid <= gap.tidBefore ? gap.tidBefore + 1 : undefined
    }
    const options = { file, seed, limit: gap.to, maxOffset, isMissing, transactionOf, isPacked, visitor: this }
    return new GapScanner(options).scan(gap.from)
  }

  displaced(at: number, home: number, header: TransactionHeader): void {
    this.#witness(header)
    const gap = this.#missing.gapOf(header.tid)
    const fits = gap !== undefined && home >= gap.from && (gap.tidAfter === undefined || home + header.length <= gap.to)
    if (fits) this.transactions.push({ tid: header.tid, at, home, length: header.length })
  }

  partial(home: number, header: TransactionHeader): void {
    this.#witness(header)
    this.partials.push({ tid: header.tid, home, time: header.time, records: header.recordCount })
  }

  record(at: number, home: number, _oid: Oid, tid: Tid): void {
    this.records.push({ tid, at, home })
  }

  damagedRecord(home: number, oid: Oid): void {
    this.damaged.push({ oid, home })
  }

  #witness({ durable, nextOid }: TransactionHeader): void {
    this.durable = Math.max(this.durable, durable)
    this.nextOid = Math.max(this.nextOid, nextOid)
  }
}

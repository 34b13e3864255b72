import type { Tid } from '../core/oid.js'
import { FILE_HEADER_BYTES, MIN_TRANSACTION_BYTES, recordTid } from './format.js'
import type { OpenFile } from './journal-file.js'
import { WINDOW_BYTES } from './read-window.js'
import { JournalScanner, type ScannedTransaction } from './scanner.js'

/** A stretch of a journal without a whole transaction that stands where it belongs. */
export interface Gap {
  readonly from: number
  readonly to: number
  /** Of the last whole transaction before it; 0 if there is none. */
  readonly tidBefore: Tid
  /** Of the first whole transaction behind it; undefined if the gap is the end of the journal. */
  readonly tidAfter: Tid | undefined
}

/** Where a transaction stands among the others. */
export interface Place {
  readonly position: number
  readonly end: number
  readonly tid: Tid
}

/** As if a transaction stood before the first one. */
export function placeBefore(baseTid: Tid): Place {
  return { position: 0, end: FILE_HEADER_BYTES, tid: baseTid }
}

/**
 * Whether a transaction can come after `before`: tids and offsets grow together, each transaction takes some bytes,
 * and without a gap no tid is left out.
 */
export function follows(before: Place, { position, tid }: Omit<Place, 'end'>): boolean {
  const between = tid - before.tid - 1
  return between >= 0 && position >= before.end && between <= (position - before.end) / MIN_TRANSACTION_BYTES
}

/** Goes through a whole journal, however damaged, and finds the whole transactions and the gaps between them. */
export class JournalSurvey {
  readonly gaps: Gap[] = []
  /** The last whole transaction. */
  last: Place
  /** The last transaction with older records than its own, as a pack makes them; 0 if there is none. */
  lastOfPack: Tid = 0
  /** Every byte before this offset had once been on the disk, as some transaction says. */
  durable = 0
  /** Where the transactions end that have this checksum, which some checkpoint names. */
  checksumAtCovered: number | undefined
  readonly #scanner: JournalScanner
  readonly #size: number
  readonly #covered: number

  /**
   * @param covered the end of a transaction of which the checksum is wanted
   * @param baseTid the journal's first transaction has the tid after this one
   */
  constructor(file: OpenFile, seed: number, size: number, covered: number, baseTid: Tid) {
    this.last = placeBefore(baseTid)
    this.#scanner = new JournalScanner(file, seed, FILE_HEADER_BYTES, size)
    this.#size = size
    this.#covered = covered
  }

  /** Does the work in small steps. Yields how far it has got. */
  *run(): Generator<number> {
    for (;;) {
      const transaction = this.#scanner.next()
      if (transaction !== undefined && this.#fits(transaction)) {
        this.#take(transaction)
        yield transaction.end
        continue
      }
      if (this.last.end >= this.#size) return
      const next = yield* this.#findNext(this.last.end)
      this.gaps.push({
        from: this.last.end,
        to: next?.position ?? this.#size,
        tidBefore: this.last.tid,
        tidAfter: next?.header.tid,
      })
      if (next === undefined) return
      this.#take(next)
      this.#scanner.seek(next.end)
    }
  }

  #fits({ position, header, image }: ScannedTransaction): boolean {
    return follows(this.last, { position, tid: header.tid }) && image.hasSoundLayout()
  }

  #take({ position, end, header, checksum, image }: ScannedTransaction): void {
    image.forEachRecord((_oid, offset) => {
      if (recordTid(image.view, offset) < header.tid) this.lastOfPack = header.tid
    })
    this.last = { position, end, tid: header.tid }
    this.durable = Math.max(this.durable, header.durable)
    if (end === this.#covered) this.checksumAtCovered = checksum
  }

  *#findNext(from: number): Generator<number, ScannedTransaction | undefined> {
    for (let at = from + 8; at < this.#size; at += WINDOW_BYTES) {
      const found = this.#scanner.findWithin(at, (transaction) => this.#fits(transaction))
      if (found !== undefined) return found
      yield at
    }
    return undefined
  }
}

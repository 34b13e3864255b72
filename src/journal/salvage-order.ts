import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import { FILE_HEADER_BYTES, readTransactionHeader } from './format.js'
import type { OpenFile } from './journal-file.js'
import type { Salvage } from './salvage.js'
import { JournalScanner } from './scanner.js'
import { follows, type Gap, placeBefore } from './survey.js'
import { TransactionImage } from './transaction.js'

/** A whole transaction of a damaged journal. Its image is valid until the next one is asked for. */
export interface WholePiece {
  readonly kind: 'whole'
  /** Where it belongs. */
  readonly home: number
  readonly tid: Tid
  readonly time: number
  readonly nextOid: number
  readonly image: TransactionImage
}

/** What is left of a transaction that is not whole: maybe nothing. */
export interface BrokenPiece {
  readonly kind: 'broken'
  readonly tid: Tid
  /** Undefined if its header is lost. */
  readonly header: { readonly time: number; readonly records: number } | undefined
  readonly records: readonly { readonly at: number; readonly home: number }[]
}

export interface SalvageSource {
  readonly file: OpenFile
  readonly seed: number
  readonly gaps: readonly Gap[]
  /** End of the journal. */
  readonly size: number
  readonly salvage: Salvage
  /** Nothing that belongs behind this offset is taken. */
  readonly end: number
  /** Nothing of a transaction that is not whole is taken that belongs behind this offset: it was never acknowledged. */
  readonly brokenEnd: number
  /** The journal's first transaction has the tid after this one. */
  readonly baseTid: Tid
  /** The new journal is to go at least up to this transaction. */
  readonly historyFrom: Tid
  /** Leave out the records of transactions that are not whole. */
  readonly wholeOnly: boolean
}

/** All that is good of a damaged journal, in the order of the tids, without one left out before the last. */
export function* inOrder(source: SalvageSource): Generator<WholePiece | BrokenPiece> {
  const broken = new BrokenPieces(source)
  let next = source.baseTid + 1
  for (const piece of wholePieces(source)) {
    for (; next < piece.tid; next++) yield broken.take(next)
    yield piece
    next = piece.tid + 1
  }
  for (; next <= broken.lastTid; next++) yield broken.take(next)
}

function* wholePieces(source: SalvageSource): Generator<WholePiece> {
  let last = placeBefore(source.baseTid)
  const { transactions } = source.salvage
  const order = transactions.sorted('tid', 'at')
  let taken = 0
  function* displacedBefore(tid: Tid): Generator<WholePiece> {
    for (; taken < order.length; taken++) {
      const row = transactions.at(order[taken] as number)
      if (row.tid >= tid) return
      if (row.home + row.length > source.end || !follows(last, { position: row.home, tid: row.tid })) continue
      last = { position: row.home, end: row.home + row.length, tid: row.tid }
      yield readDisplaced(source, row)
    }
  }
  for (const piece of inPlace(source)) {
    yield* displacedBefore(piece.tid)
    last = { position: piece.home, end: piece.home + piece.image.bytes.length, tid: piece.tid }
    yield piece
  }
  yield* displacedBefore(Number.POSITIVE_INFINITY)
}

/** The transactions between the gaps, read a second time. */
function* inPlace({ file, seed, gaps, size, end }: SalvageSource): Generator<WholePiece> {
  const limit = Math.min(size, end)
  const scanner = new JournalScanner(file, seed, FILE_HEADER_BYTES, limit)
  const ends = [...gaps.map(({ from }) => from), limit].filter((from) => from <= limit)
  for (const [i, until] of ends.entries()) {
    if (i > 0) scanner.seek((gaps[i - 1] as Gap).to)
    while (scanner.position < until) {
      const transaction = scanner.next()
      if (transaction === undefined) throw changed(file, scanner.position)
      const { position, header, image } = transaction
      yield { kind: 'whole', home: position, tid: header.tid, time: header.time, nextOid: header.nextOid, image }
    }
  }
}

function readDisplaced({ file, seed }: SalvageSource, row: { at: number; home: number; length: number }): WholePiece {
  const bytes = Buffer.from(new ArrayBuffer(row.length))
  file.read(bytes, 0, row.length, row.at)
  const header = readTransactionHeader(bytes, row.home, seed)
  if (header === undefined) throw changed(file, row.at)
  const { tid, time, nextOid } = header
  return { kind: 'whole', home: row.home, tid, time, nextOid, image: new TransactionImage(bytes) }
}

function changed({ path }: OpenFile, offset: number): PerdureError {
  return new PerdureError('PERDURE_IO', `${path} has changed at byte ${offset} while it was read. Try again.`, {
    details: { path, offset },
  })
}

/** Puts together, by tid, what is left of transactions that are not whole. To be asked in order. */
class BrokenPieces {
  readonly lastTid: Tid
  readonly #source: SalvageSource
  readonly #records: Uint32Array
  readonly #partials: Uint32Array
  #record = 0
  #partial = 0

  constructor(source: SalvageSource) {
    const { records, partials } = source.salvage
    this.#source = source
    const end = Math.min(source.end, source.brokenEnd)
    const wanted = (row: number) => !source.wholeOnly && records.at(row).home < end
    this.#records = records.sorted('tid', 'at').filter(wanted)
    this.#partials = partials.sorted('tid', 'home').filter((row) => partials.at(row).home < end)
    const lastOf = (rows: { at(row: number): { tid: Tid } }, order: Uint32Array) =>
      order.length === 0 ? 0 : rows.at(order.at(-1) as number).tid
    this.lastTid = Math.max(lastOf(records, this.#records), lastOf(partials, this.#partials), source.historyFrom)
  }

  take(tid: Tid): BrokenPiece {
    const { records, partials } = this.#source.salvage
    const found: { at: number; home: number }[] = []
    for (; this.#record < this.#records.length; this.#record++) {
      const row = records.at(this.#records[this.#record] as number)
      if (row.tid > tid) break
      if (row.tid === tid) found.push(row)
    }
    let header: BrokenPiece['header']
    for (; this.#partial < this.#partials.length; this.#partial++) {
      const row = partials.at(this.#partials[this.#partial] as number)
      if (row.tid > tid) break
      if (row.tid === tid) header ??= row
    }
    return { kind: 'broken', tid, header, records: found }
  }
}

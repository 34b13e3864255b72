import { FailingFile } from '../journal/failing-file.js'
import {
  checksumSeed,
  RECORD_HEADER_BYTES,
  readTransactionHeader,
  recordIsIntact,
  recordLength,
  recordOid,
  remarkLength,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  viewOf,
} from '../journal/format.js'
import { nodeFileSystem, type OpenFile } from '../journal/journal-file.js'
import type { OidIndex } from '../journal/oid-index.js'
import { WINDOW_BYTES } from '../journal/read-window.js'
import { JournalScanner, type ScannedTransaction } from '../journal/scanner.js'
import { JournalView, openShared, type SharedJournal } from '../journal/shared-journal.js'
import { Findings, type VerifyFindings } from './verify-findings.js'

const BLOCK_CACHE_BYTES = 64 * 1024

/** A range of the journal to be checked: the transactions that begin in it. */
export interface VerifyJournalTask {
  readonly shared: SharedJournal
  readonly from: number
  readonly to: number
  /** End of the journal. */
  readonly end: number
  /** A transaction should begin at `from`. Else the first whole one is looked for. */
  readonly anchored: boolean
}

export interface JournalFindings {
  readonly findings: VerifyFindings
  /** Where the first transaction of the range begins; undefined if none does. */
  readonly first: number | undefined
  /** Where the next range should begin; undefined if that cannot be told because of damage, which is reported. */
  readonly next: number | undefined
}

/** Third pass: every transaction is whole, superseded versions included, and the index has missed none. */
export function checkTransactions(task: VerifyJournalTask): JournalFindings {
  const view = JournalView.attach(nodeFileSystem, task.shared, BLOCK_CACHE_BYTES)
  const file = new FailingFile(openShared(nodeFileSystem, task.shared))
  try {
    return new RangeCheck(task, file, view.index).run()
  } finally {
    file.close()
    view.release()
  }
}

class RangeCheck {
  readonly #task: VerifyJournalTask
  readonly #file: OpenFile
  readonly #index: OidIndex
  readonly #seed: number
  readonly #scanner: JournalScanner
  readonly #findings = new Findings()

  constructor(task: VerifyJournalTask, file: OpenFile, index: OidIndex) {
    this.#task = task
    this.#file = file
    this.#index = index
    this.#seed = checksumSeed(task.shared.header.uuid)
    this.#scanner = new JournalScanner(file, this.#seed, task.from, task.end)
  }

  run(): JournalFindings {
    const { from, anchored } = this.#task
    const first = anchored ? from : this.#find(from)
    return { findings: this.#findings, first, next: first === undefined ? undefined : this.#walk(first) }
  }

  #walk(first: number): number | undefined {
    let at: number | undefined = first
    while (at !== undefined && at < this.#task.to) {
      const end: number | undefined = this.#checkAt(at) ?? this.#endOfReported(at)
      if (end === undefined) this.#reportTransaction(at)
      at = end ?? this.#find(at + 8)
    }
    return at
  }

  /** Returns the end of the transaction at `position` if it is whole. */
  #checkAt(position: number): number | undefined {
    this.#scanner.seek(position)
    const transaction = this.#scanner.next()
    transaction?.image.forEachRecord((oid, offset) => {
      if (this.#index.get(oid) >= position + offset) return
      const message = `The index does not know of the version of object ${oid} at byte ${position + offset}.`
      this.#findings.add({ kind: 'index', oid, offset: position + offset, message })
    })
    return transaction?.end
  }

  #reportTransaction(offset: number): void {
    const message = `The transaction at byte ${offset} is not what was stored.`
    this.#findings.add({ kind: 'damaged', offset, message })
  }

  /** Where the first whole transaction begins that does so at `from` or later, in the range. */
  #find(from: number): number | undefined {
    const { to } = this.#task
    const isInRange = ({ position }: ScannedTransaction) => position < to
    for (let at = from; at < to; at += WINDOW_BYTES) {
      const found = this.#scanner.findWithin(at, isInRange)
      if (found !== undefined) return found.position
    }
    return undefined
  }

  /**
   * The end of a damaged transaction, if all that is wrong with it is records of newest versions: the pass over the
   * objects has reported those.
   */
  #endOfReported(position: number): number | undefined {
    const head = this.#read(position, TRANSACTION_HEADER_BYTES)
    const header = readTransactionHeader(head, position, this.#seed)
    if (header === undefined || position + header.length > this.#task.end) return undefined
    const bytes = this.#read(position, header.length)
    const view = viewOf(bytes)
    const end = bytes.length - TRAILER_BYTES
    let damaged = 0
    let at = TRANSACTION_HEADER_BYTES + remarkLength(header)
    for (let i = 0; i < header.recordCount; i++) {
      const next =
        at + RECORD_HEADER_BYTES > end ? Number.POSITIVE_INFINITY : at + RECORD_HEADER_BYTES + recordLength(view, at)
      if (next > end) return undefined
      if (!recordIsIntact(bytes, view, at, recordLength(view, at))) {
        if (this.#index.get(recordOid(view, at)) !== position + at) return undefined
        damaged++
      }
      at = next
    }
    return damaged === 0 ? undefined : position + header.length
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    this.#file.read(bytes, 0, length, position)
    return bytes
  }
}

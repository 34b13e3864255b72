import { CorruptionError, PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { StoredRecord } from '../core/storage.js'
import { Carrying, type OlderVersions } from './carrying.js'
import {
  checksumSeed,
  MAX_TRANSACTION_BYTES,
  RECORD_HEADER_BYTES,
  RESTORE_OR_REPAIR,
  recordLength,
  recordPrevious,
  recordTid,
  remarkLength,
  roundUp8,
  stampRecord,
  stampTransaction,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  type TransactionHeader,
  viewOf,
  writeRecordShape,
  writeTransactionShape,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { NO_PAGES, OidIndex } from './oid-index.js'
import type { PackedBase, TailProgress } from './packed-base.js'
import { countNewObjects, type JournalState } from './recovery.js'
import { JournalScanner, type ScannedTransaction } from './scanner.js'
import { layOutTransaction, TransactionImage } from './transaction.js'

/** Bytes gathered for one write. */
const WRITE_BYTES = 1024 * 1024

/** The note of a pack's own transaction. */
const PACK_NOTE = 'pack'

/** The journal that is being packed. Commits to it go on. */
export interface TailSource extends OlderVersions {
  readonly file: OpenFile
  readonly uuid: Uint8Array
}

/** When to stop before everything has been copied. */
export interface TailLimits {
  /** The copy ends with the transaction that makes it so many bytes of the old journal. */
  readonly sourceBytes?: number
  /** The copy ends before a transaction along with which more than this has to be carried, in bytes. */
  readonly carriedBytes?: number
  /** No transaction may become longer. Given by tests. */
  readonly transactionBytes?: number | undefined
}

/** A transaction as it will stand in the new journal. */
interface Parts {
  /** Older versions, which come first. */
  readonly carried: readonly StoredRecord[]
  /** The transaction's own records, by their offsets in the old image. */
  readonly own: readonly { readonly oid: Oid; readonly offset: number }[]
  readonly length: number
}

/**
 * Copies the transactions after the base of a packed journal from the old journal to the end of the new one.
 *
 * A transaction may refer to an object, or write one, that nothing referred to when the pack began, and that is
 * therefore not in the base. Then the object's version as of the base is carried along in the same transaction, and
 * so is, again and again, what that refers to. So nothing in the new journal refers to something that is not there.
 */
export class TailCopier {
  readonly #source: TailSource
  readonly #target: OpenFile
  readonly #index: OidIndex
  readonly #historyFrom: Tid
  readonly #sourceSeed: number
  readonly #seed: number
  #state: JournalState
  #sourceEnd: number
  #waiting: Uint8Array[] = []
  #waitingBytes = 0

  /** @param target the new file, opened for writing */
  constructor(source: TailSource, target: OpenFile, { header, index, state, sourceEnd }: PackedBase) {
    this.#source = source
    this.#target = target
    this.#index = new OidIndex(index, NO_PAGES)
    this.#historyFrom = header.historyFrom
    this.#sourceSeed = checksumSeed(source.uuid)
    this.#seed = checksumSeed(header.uuid)
    this.#state = state
    this.#sourceEnd = sourceEnd
  }

  /** How far it has come. Everything up to there is in the new file, which has not been synced. */
  get progress(): TailProgress {
    return { state: this.#state, sourceEnd: this.#sourceEnd }
  }

  /**
   * Copies the transactions of the old journal up to offset `to`, where one must end, or as far as the limits allow.
   *
   * @returns whether it has come to `to`
   * @throws PerdureError `PERDURE_LIMIT` if with all that has to be carried a transaction would be too large, see
   *   {@link carriesTooMuch}; `PERDURE_CORRUPTION`, `PERDURE_NO_SPACE`, `PERDURE_IO`. The new file is then of no use.
   */
  copy(to: number, limits: TailLimits = {}): boolean {
    const until = Math.min(to, this.#sourceEnd + (limits.sourceBytes ?? Number.POSITIVE_INFINITY))
    const scanner = new JournalScanner(this.#source.file, this.#sourceSeed, this.#sourceEnd, to)
    while (this.#sourceEnd < until) {
      const transaction = scanner.next()
      if (transaction === undefined) throw damaged(this.#source.file.path, this.#sourceEnd)
      if (!this.#copyTransaction(transaction, limits)) break
      this.#sourceEnd = transaction.end
      if (this.#waitingBytes >= WRITE_BYTES) this.#flush()
    }
    this.#flush()
    return this.#sourceEnd === to
  }

  /** Adds the pack's own transaction, which has no records: what the pack has removed was removed by it. */
  finish(): void {
    const bytes = layOutTransaction([], { note: PACK_NOTE })
    const { tid, time, nextOid } = this.#state
    this.#append(bytes, { tid: tid + 1, time: Math.max(time, Date.now()), nextOid })
    this.#flush()
  }

  /** Returns false, having done nothing, if too much has to be carried. */
  #copyTransaction({ header, image }: ScannedTransaction, limits: TailLimits): boolean {
    this.#index.grow(header.nextOid)
    const parts = this.#partsOf(image, header, limits)
    if (parts === undefined) return false
    this.#append(this.#layOut(image, header, parts), header)
    return true
  }

  /** Undefined if too much has to be carried. */
  #partsOf(
    image: TransactionImage,
    header: TransactionHeader,
    { carriedBytes = Number.POSITIVE_INFINITY, transactionBytes = MAX_TRANSACTION_BYTES }: TailLimits,
  ): Parts | undefined {
    const { view } = image
    const own: { oid: Oid; offset: number }[] = []
    let end = TRANSACTION_HEADER_BYTES + remarkLength(header)
    image.forEachRecord((oid, offset) => {
      // What an earlier pack has carried is an older version like any other, and perhaps not needed here.
      if (recordTid(view, offset) !== header.tid) return
      own.push({ oid, offset })
      end += RECORD_HEADER_BYTES + recordLength(view, offset)
    })
    // What is found is in memory until it is written, so it is looked for only as long as there is room for it.
    const room = transactionBytes - roundUp8(end) - TRAILER_BYTES
    const carrying = new Carrying(this.#source, this.#index, this.#historyFrom, Math.min(carriedBytes, room))
    for (const { oid, offset } of own) carrying.need(oid, recordPrevious(view, offset))
    for (const { offset } of own) carrying.needReferences(image.dataAt(offset))
    if (carrying.complete()) {
      return { carried: carrying.records, own, length: roundUp8(end + carrying.bytes) + TRAILER_BYTES }
    }
    if (room < carriedBytes) throw tooLarge(header.tid, transactionBytes)
    return undefined
  }

  #layOut(
    image: TransactionImage,
    header: TransactionHeader,
    { carried, own, length }: Parts,
  ): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    const view = viewOf(bytes)
    let offset = TRANSACTION_HEADER_BYTES + remarkLength(header)
    bytes.set(image.bytes.subarray(0, offset))
    writeTransactionShape(view, length, carried.length + own.length, header)
    const put = (oid: Oid, tid: Tid, data: Uint8Array) => {
      writeRecordShape(view, offset, oid, data.length)
      bytes.set(data, offset + RECORD_HEADER_BYTES)
      stampRecord(bytes, view, offset, tid, this.#index.get(oid))
      this.#index.set(oid, this.#state.end + offset)
      offset += RECORD_HEADER_BYTES + data.length
    }
    for (const { oid, tid, data } of carried) put(oid, tid, data)
    for (const { oid, offset: at } of own) put(oid, header.tid, image.dataAt(at))
    return bytes
  }

  #append(bytes: Uint8Array<ArrayBuffer>, { tid, time, nextOid }: Pick<TransactionHeader, 'tid' | 'time' | 'nextOid'>) {
    const position = this.#state.end
    // Every byte before it will be on the disk when the file gets its name.
    stampTransaction(bytes, viewOf(bytes), { position, tid, time, durable: position, nextOid, seed: this.#seed })
    const image = new TransactionImage(bytes)
    const { checksum } = image.summary()
    const objects = this.#state.objects + countNewObjects(image)
    this.#state = { end: position + bytes.length, tid, time, nextOid, objects, checksum }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  #flush(): void {
    if (this.#waiting.length > 0) this.#target.write(this.#waiting, this.#state.end - this.#waitingBytes)
    this.#waiting = []
    this.#waitingBytes = 0
  }
}

function damaged(path: string, offset: number): CorruptionError {
  return new CorruptionError(path, offset, `a transaction is not what was stored. ${RESTORE_OR_REPAIR}`)
}

function tooLarge(tid: Tid, limit: number): PerdureError {
  return new PerdureError(
    'PERDURE_LIMIT',
    `Transaction ${tid}, made during the pack, refers to objects that were garbage before it, and with all that they refer to it would take more than ${limit} bytes. Pack again: the next pack finds them in use.`,
    { details: { tid, limit } },
  )
}

/** Whether a copy has failed because too much would have had to be carried. A pack that begins now finds it in use. */
export function carriesTooMuch(error: unknown): boolean {
  return error instanceof PerdureError && error.code === 'PERDURE_LIMIT' && 'tid' in error.details
}

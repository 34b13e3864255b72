import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import {
  FILE_HEADER_BYTES,
  MAX_TRANSACTION_BYTES,
  RECORD_HEADER_BYTES,
  roundUp8,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
} from './format.js'
import type { PackTables } from './pack-tables.js'

/** Size of a base transaction, in bytes, unless there are too few tids: enough work for a task, little to lose to a stop. */
export const BASE_TRANSACTION_BYTES = 8 * 1024 * 1024

/** One of the first transactions of a packed journal: what stands where. */
export interface BaseTransaction {
  readonly tid: Tid
  readonly position: number
  /** From the header to the trailer. */
  readonly length: number
  /** Its objects are those from here on in the order of the pack. */
  readonly first: number
  readonly count: number
}

/**
 * Distributes the objects of a pack to transactions with the tids up to `newest`. There is always one, unless `newest`
 * is 0, since it keeps the time and the next oid.
 *
 * @throws PerdureError `PERDURE_LIMIT` if there are not enough tids for transactions of a possible length
 */
export function layOutBase(
  tables: PackTables,
  newest: Tid,
  transactionBytes = BASE_TRANSACTION_BYTES,
): BaseTransaction[] {
  for (let limit = transactionBytes; ; limit = Math.min(limit * 2, MAX_TRANSACTION_BYTES)) {
    const transactions = cut(tables, limit)
    if (newest === 0) return []
    if (transactions.length <= newest) return withTids(transactions, newest)
    if (limit === MAX_TRANSACTION_BYTES) throw tooFewTids(tables.memory.oids, newest)
  }
}

type Cut = Omit<BaseTransaction, 'tid'>

function cut({ order, lengths, found }: PackTables, limit: number): Cut[] {
  const transactions: Cut[] = []
  let position = FILE_HEADER_BYTES
  let first = 0
  let size = TRANSACTION_HEADER_BYTES
  const close = (end: number) => {
    const length = roundUp8(size) + TRAILER_BYTES
    transactions.push({ position, length, first, count: end - first })
    position += length
    first = end
    size = TRANSACTION_HEADER_BYTES
  }
  for (let i = 0; i < found; i++) {
    const record = RECORD_HEADER_BYTES + (lengths[order[i] as Oid] as number)
    if (i > first && roundUp8(size + record) + TRAILER_BYTES > limit) close(i)
    size += record
  }
  close(found)
  return transactions
}

function withTids(transactions: readonly Cut[], newest: Tid): BaseTransaction[] {
  return transactions.map((transaction, i) => ({ ...transaction, tid: newest - transactions.length + 1 + i }))
}

function tooFewTids(oids: Oid, newest: Tid): PerdureError {
  return new PerdureError(
    'PERDURE_LIMIT',
    `${newest} transactions are too few to hold ${oids} objects of this size. Commit something, and pack again.`,
    { details: { limit: MAX_TRANSACTION_BYTES } },
  )
}

/** Where the base ends. */
export function baseEnd(transactions: readonly BaseTransaction[]): number {
  const last = transactions.at(-1)
  return last === undefined ? FILE_HEADER_BYTES : last.position + last.length
}

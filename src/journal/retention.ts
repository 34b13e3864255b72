import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { Retention } from '../core/storage.js'
import type { FileHeader, TransactionHeader } from './format.js'
import type { OpenFile } from './journal-file.js'
import { lastMoment, type PackMoment } from './pack-moment.js'

const KINDS = ['tid', 'date', 'durationMs', 'transactions'] as const

/**
 * The moment from which on a pack keeps history.
 *
 * @param newest the newest transaction
 * @param now in ms since 1970
 * @throws PerdureError `PERDURE_HISTORY` if less is kept already; `PERDURE_ARGUMENT` for a tid that is still to come
 */
export function retainedFrom(
  file: OpenFile,
  header: FileHeader,
  newest: PackMoment,
  retain: Retention | undefined,
  now = Date.now(),
): PackMoment {
  if (retain === undefined) return newest
  const find = (isWanted: (transaction: TransactionHeader) => boolean) => lastMoment(file, header, newest.end, isWanted)
  const upTo = (tid: Tid) => {
    // Before its history a journal has transactions, but not those that had been there.
    if (tid < header.historyFrom) throw tooFarBack(file.path, header, find)
    return find((transaction) => transaction.tid <= tid)
  }
  if ('tid' in retain) {
    if (retain.tid > newest.tid) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `Cannot keep history from transaction ${retain.tid} on: the newest is ${newest.tid}.`,
      )
    }
    return upTo(retain.tid)
  }
  // All there is may be fewer, unless a pack has removed the others.
  if ('transactions' in retain) {
    const from = newest.tid - retain.transactions
    return upTo(header.historyFrom === 0 ? Math.max(0, from) : from)
  }
  const time = 'date' in retain ? retain.date.getTime() : now - retain.durationMs
  const found = find((transaction) => transaction.time <= time)
  if (found.tid < header.historyFrom) throw tooFarBack(file.path, header, find)
  return found
}

function tooFarBack(
  path: string,
  { historyFrom }: FileHeader,
  find: (isWanted: (transaction: TransactionHeader) => boolean) => PackMoment,
): PerdureError {
  const { time } = find(({ tid }) => tid <= historyFrom)
  return new PerdureError(
    'PERDURE_HISTORY',
    `${path} keeps history from transaction ${historyFrom} on (${new Date(time).toISOString()}); what was before it cannot be retained. Retain less.`,
    { details: { path, historyFrom, historyTime: time } },
  )
}

/** @throws PerdureError `PERDURE_ARGUMENT` */
export function checkRetention(retain: Retention | undefined): void {
  if (retain === undefined) return
  const given = typeof retain === 'object' && retain !== null ? Object.keys(retain) : []
  const [kind] = given
  const isOne = given.length === 1 && KINDS.includes(kind as (typeof KINDS)[number])
  if (isOne && isPossible(retain)) return
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    'retain must be one of { tid }, { date }, { durationMs } and { transactions }: a whole number from 0, or a Date.',
  )
}

function isPossible(retain: Retention): boolean {
  if ('date' in retain) return retain.date instanceof Date && !Number.isNaN(retain.date.getTime())
  if ('durationMs' in retain) return Number.isFinite(retain.durationMs) && retain.durationMs >= 0
  const number = 'tid' in retain ? retain.tid : retain.transactions
  return Number.isSafeInteger(number) && number >= 0
}

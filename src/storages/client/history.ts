import { PerdureError } from '../../core/errors.js'
import { isId, type Tid } from '../../core/oid.js'
import type { PointInTime, TransactionInfo, TransactionRange } from '../../core/storage.js'
import type { Request } from '../../server/protocol/messages.js'
import type { Exchange } from './exchange.js'
import { streamParts } from './part-stream.js'

/**
 * A moment as it is sent.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` for a number that is no tid
 */
export function pointOf(at: PointInTime): { readonly tid: Tid } | { readonly time: number } {
  if (typeof at !== 'number') return { time: at.getTime() }
  if (!isId(at)) throw new PerdureError('PERDURE_ARGUMENT', `${at} is not a transaction identifier.`)
  return { tid: at }
}

/**
 * Past transactions, as the server lists them.
 *
 * @param limitMs how long to try to connect, if there is no connection
 * @param check is called before each transaction is given; throws if nobody may have it any more
 */
export async function* listTransactions(
  exchange: Exchange,
  { from, to, oid, newestFirst = false }: TransactionRange,
  limitMs: number,
  check: () => void,
): AsyncGenerator<TransactionInfo> {
  check()
  await exchange.connected(limitMs)
  const request: Request = {
    type: 'transactions',
    ...(from !== undefined && { from: pointOf(from) }),
    ...(to !== undefined && { to: pointOf(to) }),
    ...(oid !== undefined && { oid }),
    newestFirst,
  }
  for await (const part of streamParts(exchange, request, check)) {
    if (part.type !== 'transactionsPart') continue
    for (const transaction of part.transactions) {
      check()
      yield transaction
    }
  }
}

/** Iterating over it fails. */
// biome-ignore lint/correctness/useYield: there is nothing to give.
export async function* failing(error: unknown): AsyncGenerator<never> {
  throw error
}

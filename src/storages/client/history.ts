import type { TransactionInfo, TransactionRange } from '../../core/storage.js'
import type { Request } from '../../server/protocol/messages.js'
import type { Exchange } from './exchange.js'
import { streamParts } from './part-stream.js'
import { pointOf } from './request-checks.js'

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

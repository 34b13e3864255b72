import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import { isId, type Tid } from '../../core/oid.js'
import type { TransactionInfo, TransactionRange } from '../../core/storage.js'
import type { WholeView } from './backend.js'
import { tidAt } from './points.js'
import type { HandleState } from './snapshot.js'

/** Transactions read at a time. */
const PAGE = 64

/**
 * Past transactions, as they are when the first one is asked for.
 *
 * @param view is released at the end
 * @param newest transaction that counts as there
 */
export async function* listTransactions(
  view: WholeView,
  { from, to, oid, newestFirst = false }: TransactionRange,
  newest: Tid,
  handle: HandleState,
): AsyncGenerator<TransactionInfo> {
  const { reader } = view
  const extent = { ...view.extent, newest }
  try {
    if (oid !== undefined && !isId(oid)) throw new PerdureError('PERDURE_ARGUMENT', `${oid} is not an oid.`)
    const first = from === undefined ? 0 : tidAt(reader, extent, from)
    const last = to === undefined ? extent.newest : tidAt(reader, extent, to, 0)
    // Up to `historyFrom` there is what was there by then, and not who has made it.
    let low = Math.max(first, extent.historyFrom + 1)
    let high = Math.min(last, extent.newest)
    while (low <= high) {
      const page = reader.transactions({ from: low, to: high, oid, newestFirst, limit: PAGE })
      for (const info of page) {
        yield info
        assertOpen(extent.path, handle)
      }
      const end = page.at(-1)?.tid
      if (end === undefined || page.length < PAGE) return
      if (newestFirst) high = end - 1
      else low = end + 1
      await nextTurn()
      assertOpen(extent.path, handle)
    }
  } finally {
    view.release()
  }
}

function assertOpen(path: string, { closed }: HandleState): void {
  if (closed) throw new PerdureError('PERDURE_CLOSED', `${path} has been closed.`, { details: { path } })
}

import { PerdureError } from '../../core/errors.js'
import type { Tid } from '../../core/oid.js'
import type { Retention } from '../../core/storage.js'
import { type Extent, tidAt, tooFarBack } from './points.js'
import type { Reader } from './reader.js'

/**
 * The transaction from which on a pack keeps history.
 *
 * @param now in ms since 1970
 * @throws PerdureError `PERDURE_HISTORY` if less is kept already; `PERDURE_ARGUMENT` for a tid that is still to come
 */
export function retainedFrom(
  reader: Reader,
  extent: Extent,
  retain: Retention | undefined,
  now: number = Date.now(),
): Tid {
  const { newest, historyFrom } = extent
  if (retain === undefined) return newest
  if ('date' in retain) return tidAt(reader, extent, retain.date)
  if ('durationMs' in retain) return tidAt(reader, extent, new Date(now - retain.durationMs))
  let tid = 'tid' in retain ? retain.tid : newest - retain.transactions
  // All there is may be fewer, unless a pack has removed the others.
  if ('transactions' in retain && historyFrom === 0) tid = Math.max(0, tid)
  if (tid > newest) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `Cannot keep history from transaction ${tid} on: the newest is ${newest}.`,
    )
  }
  if (tid < historyFrom) throw tooFarBack(reader, extent, Math.max(0, tid))
  return tid
}

import { PerdureError } from '../../core/errors.js'
import { isId, type Tid } from '../../core/oid.js'
import type { PointInTime } from '../../core/storage.js'
import type { Reader, TransactionTime } from './reader.js'

/** As far as a database can be read. */
export interface Extent {
  readonly path: string
  /** Newest transaction that counts as there. */
  readonly newest: Tid
  /** See `Meta.historyFrom`. */
  readonly historyFrom: Tid
  /** In ms since 1970. */
  readonly created: number
}

/**
 * The transaction as of which things were as they were at that moment.
 *
 * @throws PerdureError `PERDURE_HISTORY`, `PERDURE_ARGUMENT`
 */
export function existingAt(reader: Reader, extent: Extent, at: PointInTime): Tid {
  const tid = tidAt(reader, extent, at)
  if (tid <= extent.newest) return tid
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `There is no transaction ${tid} yet in ${extent.path}: the newest is ${extent.newest}.`,
  )
}

/**
 * As {@link existingAt}, but it may be a transaction that is still to come.
 *
 * @param tooOld what to give for a moment that is further back than history goes; not given: that is an error
 * @throws PerdureError `PERDURE_HISTORY`, `PERDURE_ARGUMENT`
 */
export function tidAt(reader: Reader, extent: Extent, at: PointInTime, tooOld?: Tid): Tid {
  const tid = at instanceof Date ? notAfter(reader, extent, at) : at
  if (!isId(tid)) throw new PerdureError('PERDURE_ARGUMENT', `${String(at)} is neither a tid nor a Date.`)
  if (tid >= extent.historyFrom) return tid
  if (tooOld !== undefined) return tooOld
  throw tooFarBack(reader, extent, at)
}

export function tooFarBack(reader: Reader, { path, historyFrom, created }: Extent, at: PointInTime): PerdureError {
  const historyTime = reader.timeFrom(historyFrom)?.time ?? created
  const asked = at instanceof Date ? at.toISOString() : `transaction ${at}`
  return new PerdureError(
    'PERDURE_HISTORY',
    `${path} cannot be read as of ${asked}: its history begins with transaction ${historyFrom} (${new Date(historyTime).toISOString()}).`,
    { details: { path, historyFrom, historyTime } },
  )
}

/**
 * The last transaction that is not later, found by halving: times never go back. Before the first transaction that is
 * kept it gives one that is too old, or 0, when there was nothing.
 */
function notAfter(reader: Reader, { newest, historyFrom }: Extent, time: Date): Tid {
  const ms = time.getTime()
  if (Number.isNaN(ms)) throw new PerdureError('PERDURE_ARGUMENT', 'This is not a valid Date.')
  let found = historyFrom === 0 ? 0 : historyFrom - 1
  let low = historyFrom
  let high = newest
  while (low <= high) {
    const middle = Math.floor((low + high) / 2)
    const next: TransactionTime | undefined = reader.timeFrom(middle)
    if (next === undefined || next.tid > high || next.time > ms) {
      high = middle - 1
    } else {
      found = next.tid
      low = next.tid + 1
    }
  }
  return found
}

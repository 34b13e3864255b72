import { PerdureError } from './errors.js'
import type { RestoredTransaction } from './storage.js'

/**
 * When a transaction that is copied from another storage was committed, in ms since 1970; undefined for any other
 * transaction.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if it is no time from 1970 on
 */
export function restoredTime(restored: RestoredTransaction | undefined): number | undefined {
  if (restored === undefined) return undefined
  const ms = restored.time instanceof Date ? restored.time.getTime() : Number.NaN
  if (ms >= 0) return ms
  throw new PerdureError('PERDURE_ARGUMENT', 'The time of a restored transaction must be a Date from 1970 on.')
}

import { PerdureError } from '../core/errors.js'

/** The one error decoders throw: `what` is wrong with the bytes, at `offset` where that is known. */
export function damage(what: string, offset?: number, cause?: unknown): PerdureError {
  const where = offset === undefined ? '' : ` (byte ${offset})`
  return new PerdureError(
    'PERDURE_DECODE',
    `Not a state: ${what}${where}. The record is damaged or was not made here.`,
    {
      details: offset === undefined ? {} : { offset },
      ...(cause === undefined ? {} : { cause }),
    },
  )
}

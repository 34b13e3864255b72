import { PerdureError, type PointInTime, type Retention } from '../index.js'

/**
 * A moment of the past: a transaction's number, or a time that `Date` reads.
 *
 * @throws PerdureError `PERDURE_ARGUMENT`
 */
export function parsePoint(text: string): PointInTime {
  if (/^\d+$/.test(text)) return parseNumber('A transaction', text)
  const date = new Date(text)
  if (!Number.isNaN(date.getTime())) return date
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `${text} is neither a transaction's number nor a time, as 2026-11-22T10:30:00Z.`,
  )
}

/** @throws PerdureError `PERDURE_ARGUMENT` if it is no whole number from 0 */
export function parseNumber(what: string, text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number
  throw new PerdureError('PERDURE_ARGUMENT', `${what} is a whole number, not ${text}.`)
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * How much history to keep: `7d` of time, `100t` for the newest transactions, or everything from a moment on.
 *
 * @throws PerdureError `PERDURE_ARGUMENT`
 */
export function parseRetention(text: string): Retention {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([smhdt])$/.exec(text) ?? []
  if (number === undefined) {
    const point = parsePoint(text)
    return typeof point === 'number' ? { tid: point } : { date: point }
  }
  if (unit === 't') return { transactions: parseNumber('The number of transactions', number) }
  return { durationMs: Number(number) * (UNITS_MS[unit] as number) }
}

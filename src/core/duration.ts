import { PerdureError } from './errors.js'

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * A length of time in ms, from a number of ms or a text such as '90s', '1.5h' or '7d'.
 *
 * @param what it is for, to be named in an error
 * @throws PerdureError `PERDURE_ARGUMENT`
 */
export function durationMs(what: string, value: number | string): number {
  const [, number, unit] = typeof value === 'string' ? (/^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(value) ?? []) : []
  const ms = typeof value === 'number' ? value : Number(number) * (UNITS_MS[unit as string] ?? Number.NaN)
  if (Number.isFinite(ms) && ms > 0) return ms
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `${what} must be a number of ms above 0, or a text such as '90s', '15m', '12h' or '7d', not ${JSON.stringify(value)}.`,
  )
}

import { type InspectOptions, inspect } from 'node:util'
import { isPersistent, oidOf } from '../index.js'
import { entriesOf } from './entries.js'

/**
 * A value as people read it: persistent objects with their class and oid, those within them by class and oid alone,
 * so that to look at an object loads nothing else.
 */
export function render(value: unknown, colors = false): string {
  const options: InspectOptions & { identities: boolean } = { colors, depth: 4, identities: true }
  return inspect(value, options)
}

/** Whether standard output is to have colours: https://no-color.org and terminals that have none are heeded. */
export function wantsColors(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors()
}

/** How long a value in a table may be, in characters. */
const LINE_LENGTH = 100

/** {@link render} in one line: persistent objects by class and oid alone. */
export function renderLine(value: unknown): string {
  const options = { depth: isPersistent(value) ? -1 : 2, identities: true, breakLength: Infinity, maxArrayLength: 10 }
  const text = typeof value === 'string' ? value : inspect(value, options)
  const line = (isPersistent(value) ? text.slice(1, -1) : text).replaceAll('\n', ' ')
  return line.length > LINE_LENGTH ? `${line.slice(0, LINE_LENGTH - 3)}...` : line
}

/**
 * A value for `--json`: persistent objects with class, oid and, the outermost ones, their entries; dates in ISO 8601,
 * bigints as text, bytes in base64. To be read by programs, not to be read back: see `perdure db export` for that.
 */
export function toPlain(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  if (!isPersistent(value)) return entriesToPlain(value, depth)
  const identity = { class: classNameOf(value), oid: oidOf(value) ?? null }
  return depth <= 0 ? identity : { ...identity, value: entriesToPlain(value, 0) }
}

function classNameOf(object: object): string {
  return inspect(object, { depth: -1 }).slice(1, -1)
}

function entriesToPlain(value: object, depth: number): unknown {
  const entries = [...entriesOf(value)].map(({ key, value: item }) => [toPlain(key), toPlain(item, depth)] as const)
  if (entries.every(([key], i) => key === i)) return entries.map(([, item]) => item)
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : entries
}

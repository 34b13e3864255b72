import { type InspectOptions, inspect } from 'node:util'
import { isPersistent, oidOf } from '../index.js'
import { entriesOf, isSequence } from './entries.js'

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
 * bigints and patterns as text, bytes in base64; `[Circular]` for what contains itself. To be read by programs, not to
 * be read back: see `perdure db export` for that.
 *
 * @param depth how many persistent objects deep entries are given
 * @param around the objects that the value is within
 */
export function toPlain(value: unknown, depth = 0, around: readonly object[] = []): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof RegExp) return String(value)
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64')
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  if (around.includes(value)) return '[Circular]'
  const inside = [...around, value]
  if (!isPersistent(value)) return entriesToPlain(value, depth, inside)
  const identity = { class: classNameOf(value), oid: oidOf(value) ?? null }
  return depth <= 0 ? identity : { ...identity, value: entriesToPlain(value, 0, inside) }
}

function classNameOf(object: object): string {
  return inspect(object, { depth: -1 }).slice(1, -1)
}

function entriesToPlain(value: object, depth: number, around: readonly object[]): unknown {
  const entries = Array.from(entriesOf(value), ({ key, value: item }) => {
    return [toPlain(key, 0, around), toPlain(item, depth, around)] as const
  })
  if (isSequence(value)) return entries.map(([, item]) => item)
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : entries
}

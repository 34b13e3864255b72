import { isPersistent } from '../index.js'

/** One thing that an object holds: under which key, and what. */
export interface Entry {
  readonly key: unknown
  readonly value: unknown
}

/**
 * What can be reached from a value by one more step of a path: entries of collections and Maps, items of lists, arrays
 * and Sets, fields of objects. Undefined for what has no entries.
 */
export function* entriesOf(value: unknown): Generator<Entry> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return
  if (isMapLike(value)) {
    for (const [key, item] of value.entries()) yield { key, value: item }
  } else if (isSequence(value)) {
    let index = 0
    for (const item of value) yield { key: index++, value: item }
  } else {
    for (const [key, item] of Object.entries(fieldsOf(value))) yield { key, value: item }
  }
}

interface MapLike {
  get(key: unknown): unknown
  entries(): Iterable<[unknown, unknown]>
}

function isMapLike(value: object): value is MapLike {
  const { get, entries } = value as Partial<MapLike>
  return typeof get === 'function' && typeof entries === 'function'
}

/** Whether a value holds items in a row, without keys of their own: a list, an array, a Set. */
export function isSequence(value: object): value is Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return true
  return isPersistent(value) && Symbol.iterator in value && !isMapLike(value)
}

/** Classes with `@field accessor`s show their fields in toJSON alone. */
function fieldsOf(value: object): object {
  const { toJSON } = value as { toJSON?: () => unknown }
  const shown = isPersistent(value) && typeof toJSON === 'function' ? toJSON.call(value) : value
  return typeof shown === 'object' && shown !== null ? shown : value
}

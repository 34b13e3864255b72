import { inspect, types } from 'node:util'
import { PerdureError } from '../core/errors.js'

/**
 * What can be a key of a BTree. One tree may mix them; see {@link compareKeys} for their order.
 */
export type BTreeKey = number | string | bigint | Date | readonly BTreeKey[]

/** Arrays nest at most this deep in a key, which also stops at arrays that contain themselves. */
const MAX_KEY_DEPTH = 32

/**
 * A copy of a key that nobody else can change. -0 becomes 0.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if it is NaN, an invalid Date, nested more than 32 levels deep, or not a
 *   {@link BTreeKey} at all
 */
export function checkedKey(key: unknown): BTreeKey {
  return checked(key, key, 0)
}

/** A copy of a stored key, for the user: changing it must not change the tree. */
export function copyKey(key: BTreeKey): BTreeKey {
  if (typeof key !== 'object') return key
  return key instanceof Date ? new Date(key) : key.map(copyKey)
}

/**
 * The order of keys: numbers and bigints, by their value; then Dates, by time; then strings, by UTF-16 code units
 * (as `<` compares them); then arrays, by their first elements that differ, a shorter one before those that it
 * begins. Keys that compare as equal are the same key: so are 1 and 1n.
 *
 * @returns a number below, equal to or above 0
 */
export function compareKeys(a: BTreeKey, b: BTreeKey): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  const rank = rankOf(a)
  const difference = rank - rankOf(b)
  if (difference !== 0) return difference
  if (rank === ARRAY) return compareArrays(a as readonly BTreeKey[], b as readonly BTreeKey[])
  return a < b ? -1 : a > b ? 1 : 0
}

const ARRAY = 3

function rankOf(key: BTreeKey): number {
  switch (typeof key) {
    case 'number':
    case 'bigint':
      return 0
    case 'string':
      return 2
    default:
      return key instanceof Date ? 1 : ARRAY
  }
}

function compareArrays(a: readonly BTreeKey[], b: readonly BTreeKey[]): number {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) {
    const difference = compareKeys(a[i] as BTreeKey, b[i] as BTreeKey)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function checked(key: unknown, whole: unknown, depth: number): BTreeKey {
  switch (typeof key) {
    case 'string':
    case 'bigint':
      return key
    case 'number':
      if (Number.isNaN(key)) throw refused(whole, 'NaN has no place in any order')
      return key + 0
    case 'object':
      if (types.isDate(key)) {
        if (Number.isNaN(key.getTime())) throw refused(whole, 'an invalid Date has no place in any order')
        return new Date(key)
      }
      if (Array.isArray(key)) {
        if (depth === MAX_KEY_DEPTH) throw refused(whole, `arrays in keys nest at most ${MAX_KEY_DEPTH} levels deep`)
        // Not map(), which leaves holes out.
        return Array.from(key, (element) => checked(element, whole, depth + 1))
      }
  }
  throw refused(whole, 'keys are numbers, bigints, Dates, strings, and arrays of these')
}

function refused(key: unknown, why: string): PerdureError {
  const shown = inspect(key, {
    depth: 1,
    breakLength: Number.POSITIVE_INFINITY,
    maxStringLength: 80,
    maxArrayLength: 8,
  })
  return new PerdureError('PERDURE_ARGUMENT', `${shown} cannot be a key of a BTree: ${why}.`)
}

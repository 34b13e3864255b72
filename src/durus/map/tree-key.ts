import { inspect } from 'node:util'
import { type BTreeKey, checkedKey, compareKeys } from '../../collections/btree-key.js'
import type { StoredEntry } from '../../collections/btree-layout.js'
import { PerdureError } from '../../core/errors.js'
import { PythonByteString, PythonObject, PythonTuple } from '../pickle/python-values.js'
import type { StateMapper } from './state-mapper.js'

/** How many parts a key may have, those of its parts included: shared tuples may be very many. */
const MAX_KEY_PARTS = 10_000

/** How often keys are told apart before that is given up. */
const MAX_ROUNDS = 10

/**
 * Maps a key of a BTree. What can be no key here becomes an array that says what it was: `['$bytes', '00ff']`.
 *
 * @throws PerdureError `PERDURE_UNSTORABLE` for NaN, and for what is no plain value, such as a persistent object
 */
export function mapTreeKey(mapper: StateMapper, key: unknown): BTreeKey {
  let parts = 0

  const map = (value: unknown): unknown => {
    if (++parts > MAX_KEY_PARTS) throw mapper.refuse(`a key of the BTree has more than ${MAX_KEY_PARTS} parts`)
    switch (typeof value) {
      case 'string':
      case 'number':
      case 'bigint':
        return value
      case 'boolean':
        return noted('a bool', Number(value))
    }
    if (value === null) return noted('None', ['$none'])
    if (Array.isArray(value)) return value.map(map)
    if (value instanceof PythonTuple) {
      mapper.note('tuple', value, 'an array')
      return value.items.map(map)
    }
    if (value instanceof Uint8Array || value instanceof PythonByteString || value instanceof PythonObject) {
      return plainKey(mapper.at('<key>', value))
    }
    throw mapper.refuse(
      'a key of the BTree is neither text nor a number nor anything that can be made an array of these',
    )
  }

  const plainKey = (value: unknown): unknown => {
    if (value instanceof Date || typeof value === 'string') return value
    if (value instanceof Uint8Array) return noted('bytes', ['$bytes', Buffer.from(value).toString('hex')])
    const { $python: name, args, ...rest } = value as Record<string, unknown>
    const isSimple = typeof name === 'string' && Array.isArray(args) && Object.keys(rest).length === 0
    if (isSimple && args.every(isSimplePart)) return noted(name, ['$python', name, ...args])
    throw mapper.refuse('a key of the BTree is an object that cannot be made an array')
  }

  const noted = (found: string, stored: unknown): unknown => {
    mapper.noteAs('tree-key', found, inspect(stored, { depth: 1, maxArrayLength: 8, maxStringLength: 80 }))
    return stored
  }

  try {
    return checkedKey(map(key))
  } catch (error) {
    if (!(error instanceof PerdureError) || error.code !== 'PERDURE_ARGUMENT') throw error
    throw mapper.refuse(error.message)
  }
}

function isSimplePart(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
}

/**
 * Sorts entries by their keys. Of those whose keys have become the same, such as datetimes within a millisecond, all
 * but the first get an array of the key and a number instead.
 */
export function sortEntries(mapper: StateMapper, entries: StoredEntry[]): StoredEntry[] {
  let sorted = entries
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    if (!isAscending(sorted)) sorted = sorted.sort((a, b) => compareKeys(a.key, b.key))
    let same = 0
    sorted = sorted.map((entry, i, all) => {
      same = i > 0 && compareKeys((all[i - 1] as StoredEntry).key, entry.key) === 0 ? same + 1 : 0
      if (same === 0) return entry
      const key = [entry.key, same]
      mapper.noteAs(
        'same-keys',
        `the key ${String(entry.key).slice(0, 80)}, which another entry has`,
        'an array of the key and a number',
      )
      return { key, value: entry.value }
    })
    if (isAscending(sorted)) return sorted
  }
  throw mapper.refuse('too many keys of the BTree have become the same')
}

function isAscending(entries: readonly StoredEntry[]): boolean {
  for (let i = 1; i < entries.length; i++) {
    if (compareKeys((entries[i - 1] as StoredEntry).key, (entries[i] as StoredEntry).key) >= 0) return false
  }
  return true
}

import { type InspectOptions, inspect } from 'node:util'
import { BARE, readState, shown, stored, writeState } from '../core/bare-state.js'
import { Persistent } from '../core/persistent.js'
import { inspectCollection } from './inspect-collection.js'
import { type KeyedState, liveEntries, searchable } from './keyed-state.js'

type Items = Map<unknown, unknown>

/**
 * A persistent Map, in one record: loaded and stored as a whole. For more than some thousand entries, or when several
 * transactions add entries at the same time, use a BTree.
 *
 * Keys and values may be anything that can be stored. Keys are told apart as in a Map (SameValueZero), persistent
 * objects by identity; a plain object or array used as a key is found again only through what `keys()` gives.
 */
export class PersistentMap<K = string, V = unknown> extends Persistent implements Map<K, V> {
  static readonly [BARE] = true
  static readonly className: string = 'PersistentMap'

  /** @param entries pairs of key and value, as for a Map */
  constructor(entries?: Iterable<readonly [K, V]> | null) {
    super()
    writeState<KeyedState<Items>>(this).items = new Map()
    if (entries !== undefined && entries !== null) for (const [key, value] of entries) this.set(key, value)
  }

  /** Number of entries. */
  get size(): number {
    return readState<KeyedState<Items>>(this).items.size
  }

  /** The value at `key`, or undefined. O(1). */
  get(key: K): V | undefined {
    return shown(this, searchable<Items>(this, key).get(stored(key))) as V | undefined
  }

  /** O(1). */
  has(key: K): boolean {
    return searchable<Items>(this, key).has(stored(key))
  }

  /** Sets the value at `key`; a new key comes last. Setting a primitive that is there already is no change. O(1). */
  set(key: K, value: V): this {
    const items = searchable<Items>(this, key)
    const storedKey = stored(key)
    const storedValue = stored(value)
    const primitive = typeof storedValue !== 'object' || storedValue === null
    if (primitive && Object.is(items.get(storedKey), storedValue) && items.has(storedKey)) return this
    writeState<KeyedState<Items>>(this).items.set(storedKey, storedValue)
    return this
  }

  /** The value at `key`, after setting it to `value` if there was none. O(1). */
  getOrInsert(key: K, value: V): V {
    if (!this.has(key)) this.set(key, value)
    return this.get(key) as V
  }

  /** The value at `key`, after setting it to `compute(key)` if there was none. O(1). */
  getOrInsertComputed(key: K, compute: (key: K) => V): V {
    if (!this.has(key)) this.set(key, compute(key))
    return this.get(key) as V
  }

  /** Removes an entry and says whether there was one. O(1). */
  delete(key: K): boolean {
    if (!searchable<Items>(this, key).has(stored(key))) return false
    return writeState<KeyedState<Items>>(this).items.delete(stored(key))
  }

  /** Removes every entry. */
  clear(): void {
    if (this.size > 0) writeState<KeyedState<Items>>(this).items.clear()
  }

  /** Calls back with each entry, in the order of insertion. Entries that the callback adds are visited too. */
  forEach(callback: (value: V, key: K, map: Map<K, V>) => void, thisArg?: unknown): void {
    for (const [key, value] of this.entries()) callback.call(thisArg, value, key, this)
  }

  /** The keys, in the order of insertion. See {@link entries}. */
  *keys(): Generator<K, undefined, unknown> {
    for (const [key] of this.entries()) yield key
    return undefined
  }

  /** The values, in the order of insertion of their keys. See {@link entries}. */
  *values(): Generator<V, undefined, unknown> {
    for (const [, value] of this.entries()) yield value
    return undefined
  }

  /**
   * Pairs of key and value, in the order of insertion. Entries added meanwhile are seen, those deleted ahead are not.
   *
   * @throws PerdureError `PERDURE_STALE`, from the iterator, if the map is replaced meanwhile: by abort, or by
   *   another connection's commit once this transaction has ended
   */
  entries(): Generator<[K, V], undefined, unknown> {
    return liveEntries<Items>(this) as Generator<[K, V], undefined, unknown>
  }

  [Symbol.iterator](): Generator<[K, V], undefined, unknown> {
    return this.entries()
  }

  get [Symbol.toStringTag](): string {
    return 'PersistentMap'
  }

  /** An object if every key is a string, or else an array of pairs: JSON has no Maps. */
  override toJSON(): Record<string, V> | [K, V][] {
    const entries = [...this]
    return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : entries
  }

  /** Shows the entries in console.log as those of a Map. */
  override [inspect.custom](depth: number | null, options: InspectOptions, show: typeof inspect): string {
    return inspectCollection(this, () => new Map(this), { depth, options, show })
  }
}

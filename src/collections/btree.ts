import { type InspectOptions, inspect } from 'node:util'
import { BARE, readState, stored, writeState } from '../core/bare-state.js'
import { PerdureError } from '../core/errors.js'
import { Persistent } from '../core/persistent.js'
import type { Reference } from '../core/reference.js'
import { addToCount, countedBy, newCounters } from './btree-counter.js'
import { insertEntry, removeEntry } from './btree-edit.js'
import { type BTreeKey, checkedKey, copyKey } from './btree-key.js'
import { type LeafState, modifications, type NodeState } from './btree-node.js'
import { type Bound, entryAt, find, type Place, scan, seek, valueAt } from './btree-scan.js'
import { inspectCollection } from './inspect-collection.js'

/** A range of keys, and the direction in which to go through it. */
export interface BTreeRange<K extends BTreeKey = BTreeKey> {
  /** The lower end, included unless `fromExclusive`. The first key unless given. */
  readonly from?: K
  /** The upper end, excluded unless `toInclusive`. Behind the last key unless given. */
  readonly to?: K
  readonly fromExclusive?: boolean
  readonly toInclusive?: boolean
  /** Goes from the upper end to the lower one. */
  readonly reverse?: boolean
}

/** Internal options of a new tree. */
export interface BTreeOptions {
  /** Most entries of a leaf and most children of an inner node, at least 3. Kept with the tree. */
  readonly nodeSize?: number
}

type TreeState = NodeState & {
  /** Only in trees whose node size is not the default. */
  nodeSize?: number
  /** Only in trees that have inner nodes. */
  counters?: Reference[]
}

/**
 * Measured with 147,478 words as keys, numbers as values, and msgpack: 5 % more bytes than the entries alone have, about
 * 1 KB written for an insertion. Nodes of 32 halve the latter but have 9 to 13 % more bytes; nodes of 128 gain 2 %.
 */
export const DEFAULT_NODE_SIZE = 64

const SMALLEST_NODE_SIZE = 3

/**
 * A persistent sorted map for any number of entries. They are spread over many records, of which each operation
 * loads, and each change stores, a few: O(log n).
 *
 * Keys are numbers, bigints, Dates, strings, and arrays of these, in one tree as you like, ordered so: numbers and
 * bigints, by their value (1 and 1n are the same key); then Dates, by time; then strings, by UTF-16 code units; then
 * arrays, by the first elements that differ. Values may be anything that can be stored; they are kept inside
 * the tree's records, so what is large or changes often had better be a persistent object of its own.
 *
 * Methods that take keys throw a PerdureError `PERDURE_ARGUMENT` if they are given NaN, an invalid Date, an array
 * nested more than 32 levels deep, or anything else.
 *
 * Two transactions that add or delete different entries at the same time conflict only if these lie close together,
 * or, one time in 16, because they have chosen the same one of the counters from which {@link size} is made.
 */
export class BTree<K extends BTreeKey = BTreeKey, V = unknown> extends Persistent implements Iterable<[K, V]> {
  static readonly [BARE] = true
  static readonly className: string = 'BTree'

  /**
   * @param entries pairs of key and value in any order; ascending ones leave the fullest nodes behind
   * @param options for tests
   * @throws PerdureError `PERDURE_ARGUMENT` if a key is none
   */
  constructor(entries?: Iterable<readonly [K, V]> | null, options: BTreeOptions = {}) {
    super()
    const state = writeState<TreeState>(this)
    state.keys = []
    state.values = []
    const { nodeSize } = options
    if (nodeSize !== undefined) {
      if (!Number.isInteger(nodeSize) || nodeSize < SMALLEST_NODE_SIZE) {
        throw new PerdureError(
          'PERDURE_ARGUMENT',
          `nodeSize is an integer of at least ${SMALLEST_NODE_SIZE}, not ${nodeSize}.`,
        )
      }
      state.nodeSize = nodeSize
    }
    if (entries !== undefined && entries !== null) for (const [key, value] of entries) this.set(key, value)
  }

  /** Number of entries. O(1). A transaction that asks for it conflicts with every other that adds or deletes entries. */
  get size(): number {
    const { keys, counters } = readState<TreeState>(this)
    return counters === undefined ? keys.length : countedBy(this, counters)
  }

  /** The value at `key`, or undefined. O(log n). */
  get(key: K): V | undefined {
    const place = find(this, checkedKey(key))
    return place === undefined ? undefined : (valueAt(place) as V)
  }

  /** O(log n). */
  has(key: K): boolean {
    return find(this, checkedKey(key)) !== undefined
  }

  /**
   * Sets the value at `key`. Setting a primitive that is there already is no change. O(log n).
   *
   * @throws PerdureError `PERDURE_ARGUMENT` if the key is none
   */
  set(key: K, value: V): this {
    const ownKey = checkedKey(key)
    const storedValue = stored(value)
    const place = find(this, ownKey)
    if (place === undefined) {
      const { nodeSize = DEFAULT_NODE_SIZE, keys } = readState<TreeState>(this)
      const before = keys.length
      insertEntry(this, ownKey, storedValue, nodeSize)
      count(this, 1, before)
      return this
    }
    const { leaf, index } = place
    const primitive = typeof storedValue !== 'object' || storedValue === null
    if (primitive && Object.is(readState<LeafState>(leaf).values[index], storedValue)) return this
    writeState<LeafState>(leaf).values[index] = storedValue
    return this
  }

  /** Removes an entry and says whether there was one. O(log n). */
  delete(key: K): boolean {
    const { nodeSize = DEFAULT_NODE_SIZE } = readState<TreeState>(this)
    const deleted = removeEntry(this, checkedKey(key), nodeSize)
    if (deleted) count(this, -1, 0)
    return deleted
  }

  /** Removes every entry. O(1): the records are left to the next pack. */
  clear(): void {
    const { keys } = readState<TreeState>(this)
    if (keys.length === 0) return
    modifications.count++
    const state = writeState<TreeState>(this)
    state.keys = []
    state.values = []
    delete state.children
    delete state.counters
  }

  /** The entry with the lowest key, or undefined. O(log n). */
  first(): [K, V] | undefined {
    return shownEntry(seek(this, undefined, false)) as [K, V] | undefined
  }

  /** The entry with the highest key, or undefined. O(log n). */
  last(): [K, V] | undefined {
    return shownEntry(seek(this, undefined, true)) as [K, V] | undefined
  }

  /** The lowest key, or undefined. O(log n). */
  firstKey(): K | undefined {
    return shownEntry(seek(this, undefined, false))?.[0] as K | undefined
  }

  /** The highest key, or undefined. O(log n). */
  lastKey(): K | undefined {
    return shownEntry(seek(this, undefined, true))?.[0] as K | undefined
  }

  /**
   * Pairs of key and value in a range, in the order of keys, loaded as they are asked for. O(log n) for the first
   * one, and a constant time for each further one.
   *
   * The tree may be changed, and transactions may end, meanwhile: each step goes on with the nearest key behind the
   * last one. So what is added or deleted ahead is noticed, and no key comes twice.
   *
   * @throws PerdureError `PERDURE_ARGUMENT` if `from` or `to` is no key
   */
  entries(range: BTreeRange<K> = {}): Generator<[K, V], undefined, unknown> {
    return scanRange(this, range, entryAt) as Generator<[K, V], undefined, unknown>
  }

  /** The keys in a range. See {@link entries}. */
  keys(range: BTreeRange<K> = {}): Generator<K, undefined, unknown> {
    return scanRange(this, range, copyKey) as Generator<K, undefined, unknown>
  }

  /** The values in a range, in the order of their keys. See {@link entries}. */
  values(range: BTreeRange<K> = {}): Generator<V, undefined, unknown> {
    return scanRange(this, range, (_key, place) => valueAt(place)) as Generator<V, undefined, unknown>
  }

  [Symbol.iterator](): Generator<[K, V], undefined, unknown> {
    return this.entries()
  }

  /** Calls back with each entry, in the order of keys. See {@link entries}. */
  forEach(callback: (value: V, key: K, tree: this) => void, thisArg?: unknown): void {
    for (const [key, value] of this.entries()) callback.call(thisArg, value, key, this)
  }

  get [Symbol.toStringTag](): string {
    return 'BTree'
  }

  /** An array of pairs of key and value, in the order of keys. Loads the whole tree. */
  override toJSON(): [K, V][] {
    return [...this]
  }

  /** Shows the entries in console.log as those of a Map; not more than `maxArrayLength` of them are loaded. */
  override [inspect.custom](depth: number | null, options: InspectOptions, show: typeof inspect): string {
    const { maxArrayLength } = options
    const most = maxArrayLength === undefined ? 100 : (maxArrayLength ?? Number.POSITIVE_INFINITY)
    return inspectCollection(this, () => beginning(this, most), { depth, options, show }, this.size)
  }
}

/*
 * Functions and not private methods: an object that was loaded has no private members.
 */

/**
 * Keeps the counters right after entries were added or deleted.
 *
 * @param before how many entries there were, if the tree had no inner nodes
 */
function count(tree: Persistent, difference: number, before: number): void {
  const { children, counters } = readState<TreeState>(tree)
  if (children === undefined) {
    if (counters !== undefined) delete writeState<TreeState>(tree).counters
  } else if (counters === undefined) writeState<TreeState>(tree).counters = newCounters(before + difference)
  else addToCount(tree, counters, difference)
}

function shownEntry(place: Place | undefined): [BTreeKey, unknown] | undefined {
  if (place === undefined) return undefined
  return entryAt(readState<LeafState>(place.leaf).keys[place.index] as BTreeKey, place)
}

function scanRange<T>(
  tree: Persistent,
  range: BTreeRange,
  show: (key: BTreeKey, place: Place) => T,
): Generator<T, undefined, unknown> {
  const { from, to, fromExclusive = false, toInclusive = false, reverse = false } = range
  const lower: Bound | undefined = from === undefined ? undefined : { key: checkedKey(from), inclusive: !fromExclusive }
  const upper: Bound | undefined = to === undefined ? undefined : { key: checkedKey(to), inclusive: toInclusive }
  return scan(tree, { start: reverse ? upper : lower, end: reverse ? lower : upper, reverse }, show)
}

/** A Map of the first entries. */
function beginning<K extends BTreeKey, V>(tree: BTree<K, V>, most: number): Map<K, V> {
  const map = new Map<K, V>()
  if (most <= 0) return map
  for (const [key, value] of tree.entries()) if (map.set(key, value).size >= most) break
  return map
}

import { holdState, readState, shown } from '../core/bare-state.js'
import { headerOf } from '../core/header.js'
import type { Persistent } from '../core/persistent.js'
import { type BTreeKey, compareKeys, copyKey } from './btree-key.js'
import { childAt, childIndex, type LeafState, modifications, type NodeState, position } from './btree-node.js'

/** One end of a range of keys. */
export interface Bound {
  readonly key: BTreeKey
  readonly inclusive: boolean
}

/** Where an entry is. */
export interface Place {
  readonly leaf: Persistent
  readonly index: number
}

/** The leaf in which `key` belongs. O(log n). */
export function leafFor(root: Persistent, key: BTreeKey): Persistent {
  let node = root
  for (;;) {
    const { children, keys } = readState<NodeState>(node)
    if (children === undefined) return node
    node = childAt(node, children, childIndex(keys, key))
  }
}

/** Where `key` is, or undefined. O(log n). */
export function find(root: Persistent, key: BTreeKey): Place | undefined {
  const leaf = leafFor(root, key)
  const { keys } = readState<LeafState>(leaf)
  const index = position(keys, key, false)
  const found = keys[index]
  return found !== undefined && compareKeys(found, key) === 0 ? { leaf, index } : undefined
}

/** The first entry at or behind `bound`, or, in reverse, the last one at or before it. O(log n). */
export function seek(node: Persistent, bound: Bound | undefined, reverse: boolean): Place | undefined {
  const { children, keys } = readState<NodeState>(node)
  if (children === undefined) return seekInLeaf(node, keys, bound, reverse)
  const step = reverse ? -1 : 1
  let index = reverse ? children.length - 1 : 0
  if (bound !== undefined) index = childIndex(keys, bound.key)
  // The child in which the bound belongs may have no entry on the wanted side; its neighbour then has.
  for (; index >= 0 && index < children.length; index += step) {
    const place = seek(childAt(node, children, index), bound, reverse)
    if (place !== undefined) return place
  }
  return undefined
}

function seekInLeaf(
  leaf: Persistent,
  keys: readonly BTreeKey[],
  bound: Bound | undefined,
  reverse: boolean,
): Place | undefined {
  let index = reverse ? keys.length - 1 : 0
  if (bound !== undefined) {
    index = reverse ? position(keys, bound.key, bound.inclusive) - 1 : position(keys, bound.key, !bound.inclusive)
  }
  return index >= 0 && index < keys.length ? { leaf, index } : undefined
}

/** A range of keys, gone through in one direction. */
export interface Range {
  readonly start: Bound | undefined
  readonly end: Bound | undefined
  readonly reverse: boolean
}

/**
 * The entries of a range, live: the place is looked up anew whenever a leaf is done, a tree has changed or a
 * transaction has ended, as the nearest one behind the last key given out. So no key comes twice.
 *
 * @param show makes what is yielded of a key and the place of its value
 */
export function* scan<T>(
  root: Persistent,
  range: Range,
  show: (key: BTreeKey, place: Place) => T,
): Generator<T, undefined, unknown> {
  const { end, reverse } = range
  let { start } = range
  const step = reverse ? -1 : 1
  for (;;) {
    const place = seek(root, start, reverse)
    if (place === undefined) return undefined
    const { leaf } = place
    // Held, so that the values of the leaf stay part of its state even if it is evicted between two steps.
    const { keys } = holdState<LeafState>(leaf)
    const { count } = modifications
    const transaction = transactionOf(root)
    let key: BTreeKey | undefined
    let { index } = place
    do {
      key = keys[index] as BTreeKey
      if (end !== undefined && isBeyond(key, end, reverse)) return undefined
      yield show(key, { leaf, index })
      index += step
    } while (index >= 0 && index < keys.length && count === modifications.count && transaction === transactionOf(root))
    start = { key, inclusive: false }
  }
}

/** Key and value at a place, as the user sees them. */
export function entryAt(key: BTreeKey, { leaf, index }: Place): [BTreeKey, unknown] {
  return [copyKey(key), valueAt({ leaf, index })]
}

/** The value at a place, as the user sees it. */
export function valueAt({ leaf, index }: Place): unknown {
  return shown(leaf, readState<LeafState>(leaf).values[index])
}

function isBeyond(key: BTreeKey, end: Bound, reverse: boolean): boolean {
  const order = compareKeys(key, end.key)
  return order === 0 ? !end.inclusive : reverse ? order < 0 : order > 0
}

/** Changes when the transaction ends: what is in the tree may then be something else. */
function transactionOf(object: Persistent): number | undefined {
  return headerOf(object)?.owner?.transaction
}

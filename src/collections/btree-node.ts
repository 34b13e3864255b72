import { BARE, shown, stored, valuesMoved, writeState } from '../core/bare-state.js'
import { Persistent } from '../core/persistent.js'
import type { Reference } from '../core/reference.js'
import { type BTreeKey, compareKeys } from './btree-key.js'

/*
 * A B+-tree: values are in the leaves only. A node is a leaf, with a value for each key, or an inner node, with one
 * child more than keys: keys[i] separates children[i], whose keys are all below it, from children[i + 1], whose keys
 * are not. All leaves are at the same depth. The tree object itself is the root node, so a small tree is one record.
 *
 * D. Comer, The Ubiquitous B-Tree, ACM Computing Surveys 11 (1979).
 */

/** The state of a leaf. */
export interface LeafState {
  keys: BTreeKey[]
  values: unknown[]
  children?: undefined
}

/** The state of an inner node. */
export interface InnerState {
  keys: BTreeKey[]
  values?: undefined
  children: Reference[]
}

/** The state of a node. */
export type NodeState = LeafState | InnerState

/** A node of a BTree other than its root. Not for use by programs; it is a class only in order to be stored. */
export class BTreeNode extends Persistent {
  static readonly [BARE] = true
  static readonly className: string = 'BTreeNode'
}

/** A new node with this state. */
export function newNode(state: NodeState): BTreeNode {
  const node = new BTreeNode()
  Object.assign(writeState<NodeState>(node), state)
  return node
}

/** Counts the changes of all trees, so that iterators notice them. One for all: following a tree's own would cost more. */
export const modifications = { count: 0 }

/** The child at a position. */
export function childAt(node: Persistent, children: readonly Reference[], index: number): BTreeNode {
  return shown(node, children[index]) as BTreeNode
}

/** The position of the child in which `key` belongs. */
export function childIndex(keys: readonly BTreeKey[], key: BTreeKey): number {
  return position(keys, key, true)
}

/** The position of the first key that is not below `key`; with `after`, of the first one above it. */
export function position(keys: readonly BTreeKey[], key: BTreeKey, after: boolean): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareKeys(keys[middle] as BTreeKey, key)
    if (order < 0 || (after && order === 0)) low = middle + 1
    else high = middle
  }
  return low
}

/** Number of entries of a leaf, or of children of an inner node: what is bounded by the size of nodes. */
export function fill(state: NodeState): number {
  return (state.children ?? state.keys).length
}

/** Takes what is at `at` and behind out of a node, and puts it into a new one. The key between the two is returned with it. */
export function splitOff(node: Persistent, at: number): { key: BTreeKey; right: BTreeNode } {
  const state = writeState<NodeState>(node)
  if (state.children === undefined) {
    const keys = state.keys.splice(at)
    const values = state.values.splice(at)
    const right = newNode({ keys, values })
    valuesMoved(node, right, values)
    return { key: keys[0] as BTreeKey, right }
  }
  const children = state.children.splice(at)
  const keys = state.keys.splice(at)
  const right = newNode({ keys, children })
  valuesMoved(node, right, children)
  return { key: state.keys.pop() as BTreeKey, right }
}

/** Moves everything from `right` to the end of `left`. `key` has separated them. */
export function append(left: Persistent, key: BTreeKey, right: Persistent): void {
  const into = writeState<NodeState>(left)
  // Writing to the node that is given up makes a transaction that adds to it meanwhile conflict with this one,
  // even if only writes are checked.
  const from = writeState<NodeState>(right)
  if (into.children === undefined) {
    const values = (from as LeafState).values.splice(0)
    into.keys.push(...from.keys.splice(0))
    into.values.push(...values)
    valuesMoved(right, left, values)
  } else {
    const children = (from as InnerState).children.splice(0)
    into.keys.push(key, ...from.keys.splice(0))
    into.children.push(...children)
    valuesMoved(right, left, children)
  }
}

/** Moves everything in `from` to the empty node `to`. */
export function moveAll(from: Persistent, to: Persistent): void {
  const source = writeState<NodeState>(from)
  const target = writeState<NodeState>(to)
  target.keys = source.keys.splice(0)
  if (source.children === undefined) {
    target.values = source.values.splice(0)
    delete target.children
  } else {
    target.children = source.children.splice(0)
    delete target.values
  }
  valuesMoved(from, to, target.values ?? target.children)
}

/** A reference to a node, as it stands among the children of another. */
export function childReference(node: BTreeNode): Reference {
  return stored(node) as Reference
}

import { readState, writeState } from '../core/bare-state.js'
import type { Persistent } from '../core/persistent.js'
import type { BTreeKey } from './btree-key.js'
import {
  append,
  type BTreeNode,
  childAt,
  childIndex,
  childReference,
  fill,
  type InnerState,
  type LeafState,
  modifications,
  moveAll,
  type NodeState,
  newNode,
  position,
  splitOff,
} from './btree-node.js'

/** What came off a node that had grown too large: a new right neighbour, and the key that separates the two. */
interface Split {
  readonly key: BTreeKey
  readonly right: BTreeNode
}

/** Whether a node is the first or the last one of its level. */
interface Edges {
  readonly first: boolean
  readonly last: boolean
}

/**
 * Adds an entry whose key is not in the tree. `value` is as it is stored.
 *
 * A node that overflows is halved, unless the new entry is the first or the last one of the whole tree: then the
 * neighbour gets as little as possible, so that insertion in ascending or descending order leaves full nodes behind.
 *
 * @param size most entries of a leaf, and most children of an inner node
 */
export function insertEntry(root: Persistent, key: BTreeKey, value: unknown, size: number): void {
  modifications.count++
  const split = insertBelow(root, { key, value, size }, { first: true, last: true })
  if (split === undefined) return
  const left = newNode({ keys: [], values: [] })
  moveAll(root, left)
  const state = writeState<NodeState>(root)
  state.keys = [split.key]
  state.children = [childReference(left), childReference(split.right)]
  delete state.values
}

/**
 * Removes an entry, and says whether there was one. A node that falls below a third is merged with a neighbour, or
 * shares what the two have.
 */
export function removeEntry(root: Persistent, key: BTreeKey, size: number): boolean {
  modifications.count++
  if (!removeBelow(root, key, size)) return false
  const { children } = readState<NodeState>(root)
  if (children?.length === 1) moveAll(childAt(root, children, 0), root)
  return true
}

/** Fewest entries of a leaf or children of an inner node, except for the first and the last node of a level. */
export function leastFill(size: number, leaf: boolean): number {
  return Math.max(leaf ? 1 : 2, Math.floor(size / 3))
}

interface Insertion {
  readonly key: BTreeKey
  readonly value: unknown
  readonly size: number
}

function insertBelow(node: Persistent, insertion: Insertion, edges: Edges): Split | undefined {
  const { children, keys } = readState<NodeState>(node)
  if (children === undefined) return insertInLeaf(node, insertion, edges)
  const index = childIndex(keys, insertion.key)
  const child = childAt(node, children, index)
  const first = edges.first && index === 0
  const last = edges.last && index === children.length - 1
  const split = insertBelow(child, insertion, { first, last })
  if (split === undefined) return undefined
  const state = writeState<InnerState>(node)
  state.keys.splice(index, 0, split.key)
  state.children.splice(index + 1, 0, childReference(split.right))
  const length = state.children.length
  if (length <= insertion.size) return undefined
  return splitOff(node, last ? length - 2 : first ? 2 : length >> 1)
}

function insertInLeaf(leaf: Persistent, { key, value, size }: Insertion, edges: Edges): Split | undefined {
  const { keys, values } = writeState<LeafState>(leaf)
  const index = position(keys, key, false)
  keys.splice(index, 0, key)
  values.splice(index, 0, value)
  const { length } = keys
  if (length <= size) return undefined
  const last = edges.last && index === length - 1
  const first = edges.first && index === 0
  return splitOff(leaf, last ? length - 1 : first ? 1 : length >> 1)
}

function removeBelow(node: Persistent, key: BTreeKey, size: number): boolean {
  const { children, keys } = readState<NodeState>(node)
  if (children === undefined) return removeFromLeaf(node, key)
  const index = childIndex(keys, key)
  const child = childAt(node, children, index)
  if (!removeBelow(child, key, size)) return false
  const state = readState<NodeState>(child)
  if (fill(state) < leastFill(size, state.children === undefined)) rebalance(node, Math.max(0, index - 1), size)
  return true
}

function removeFromLeaf(leaf: Persistent, key: BTreeKey): boolean {
  const { keys } = readState<LeafState>(leaf)
  const index = position(keys, key, false)
  if (index === position(keys, key, true)) return false
  const state = writeState<LeafState>(leaf)
  state.keys.splice(index, 1)
  state.values.splice(index, 1)
  return true
}

/** Makes one node of the children at `index` and behind it, or two that are equally full. */
function rebalance(parent: Persistent, index: number, size: number): void {
  const { keys, children } = writeState<InnerState>(parent)
  const left = childAt(parent, children, index)
  const right = childAt(parent, children, index + 1)
  append(left, keys[index] as BTreeKey, right)
  const length = fill(readState<NodeState>(left))
  if (length <= size) {
    keys.splice(index, 1)
    children.splice(index + 1, 1)
    return
  }
  const split = splitOff(left, length >> 1)
  moveAll(split.right, right)
  keys[index] = split.key
}

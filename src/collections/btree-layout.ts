import type { Oid } from '../core/oid.js'
import { Reference } from '../core/reference.js'
import type { State } from '../core/serializer.js'
import { BTreeCounter, COUNTERS } from './btree-counter.js'
import type { BTreeKey } from './btree-key.js'
import { BTreeNode } from './btree-node.js'

/** An entry, as it is stored. */
export interface StoredEntry {
  readonly key: BTreeKey
  readonly value: unknown
}

/** A part of a tree: what is stored for one object. */
export interface TreePart {
  readonly oid: Oid
  readonly className: string
  readonly state: State
}

/** A node that its parent does not know yet. */
interface LooseNode {
  readonly lowest: BTreeKey
  readonly reference: Reference
}

/**
 * Makes the states of a whole tree, without making the tree: the nodes from below, then the tree itself.
 *
 * @param tree oid and class of the tree
 * @param entries in the order of their keys, of which no two are the same
 * @param allocateOid gives an oid to each node and counter
 */
export function* layOutTree(
  tree: { readonly oid: Oid; readonly className: string },
  entries: readonly StoredEntry[],
  nodeSize: number,
  allocateOid: () => Oid,
): Generator<TreePart, void> {
  if (entries.length <= nodeSize) {
    yield { ...tree, state: leaf(entries) }
    return
  }
  let level: LooseNode[] = []
  for (const part of evenly(entries, nodeSize)) {
    const oid = allocateOid()
    yield { oid, className: BTreeNode.className, state: leaf(part) }
    level.push(loose(oid, (part[0] as StoredEntry).key))
  }
  while (level.length > nodeSize) {
    const above: LooseNode[] = []
    for (const part of evenly(level, nodeSize)) {
      const oid = allocateOid()
      yield { oid, className: BTreeNode.className, state: inner(part) }
      above.push(loose(oid, (part[0] as LooseNode).lowest))
    }
    level = above
  }
  const counters: Reference[] = []
  for (let i = 0; i < COUNTERS; i++) {
    const oid = allocateOid()
    yield { oid, className: BTreeCounter.className, state: { count: i === 0 ? entries.length : 0 } }
    counters.push(new Reference(oid, BTreeCounter.className))
  }
  yield { ...tree, state: { ...inner(level), counters } }
}

function leaf(entries: readonly StoredEntry[]): State {
  return { keys: entries.map(({ key }) => key), values: entries.map(({ value }) => value) }
}

function inner(nodes: readonly LooseNode[]): State {
  return { keys: nodes.slice(1).map(({ lowest }) => lowest), children: nodes.map(({ reference }) => reference) }
}

function loose(oid: Oid, lowest: BTreeKey): LooseNode {
  return { lowest, reference: new Reference(oid, BTreeNode.className) }
}

/** Parts of at most `size`, as few as possible, and none larger than another by more than one. */
function* evenly<T>(items: readonly T[], size: number): Generator<readonly T[], void> {
  const parts = Math.ceil(items.length / size)
  for (let part = 0; part < parts; part++) {
    const [from, to] = [part, part + 1].map((i) => Math.floor((i * items.length) / parts))
    yield items.slice(from, to)
  }
}

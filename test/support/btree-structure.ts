import { expect } from 'chai'
import { countedBy } from '../../src/collections/btree-counter.js'
import { leastFill } from '../../src/collections/btree-edit.js'
import { type BTreeKey, compareKeys } from '../../src/collections/btree-key.js'
import { childAt, fill, type NodeState } from '../../src/collections/btree-node.js'
import { readState } from '../../src/core/bare-state.js'
import type { Persistent } from '../../src/core/persistent.js'
import type { Reference } from '../../src/core/reference.js'

/** What the structure of a tree is made of. */
export interface BTreeFigures {
  readonly depth: number
  readonly leaves: number
  readonly inner: number
  readonly entries: number
}

interface Bounds {
  readonly above: BTreeKey | undefined
  readonly below: BTreeKey | undefined
}

/** Checks every invariant of a tree's nodes: order, separators, fill, one depth, and the counters. */
export function checkStructure(tree: Persistent, size: number): BTreeFigures {
  const figures = { leaves: 0, inner: 0, entries: 0 }
  const depths = new Set<number>()

  function visit(node: Persistent, depth: number, bounds: Bounds): void {
    const state = readState<NodeState>(node)
    const { keys } = state
    for (const [i, key] of keys.entries()) {
      if (i > 0) expect(compareKeys(keys[i - 1] as BTreeKey, key)).to.be.below(0)
      if (bounds.above !== undefined) expect(compareKeys(bounds.above, key)).to.be.at.most(0)
      if (bounds.below !== undefined) expect(compareKeys(key, bounds.below)).to.be.below(0)
    }
    expect(fill(state)).to.be.at.most(size)
    const edge = bounds.above === undefined || bounds.below === undefined
    const least = leastFill(edge ? 0 : size, state.children === undefined)
    if (node !== tree || state.children !== undefined) expect(fill(state)).to.be.at.least(least)
    if (state.children === undefined) {
      expect(state.values.length).to.equal(keys.length)
      figures.leaves++
      figures.entries += keys.length
      depths.add(depth)
      return
    }
    figures.inner++
    expect(state).to.not.have.property('values')
    expect(state.children.length).to.equal(keys.length + 1)
    for (let i = 0; i < state.children.length; i++) {
      const above = i === 0 ? bounds.above : keys[i - 1]
      const below = i === keys.length ? bounds.below : keys[i]
      visit(childAt(node, state.children, i), depth + 1, { above, below })
    }
  }

  visit(tree, 0, { above: undefined, below: undefined })
  expect(depths.size).to.equal(1)
  const { counters } = readState<{ counters?: Reference[] }>(tree)
  expect(counters !== undefined).to.equal(figures.inner > 0)
  if (counters !== undefined) expect(countedBy(tree, counters)).to.equal(figures.entries)
  return { ...figures, depth: [...depths][0] as number }
}

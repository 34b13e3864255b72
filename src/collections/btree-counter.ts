import { BARE, readState, shown, stored, writeState } from '../core/bare-state.js'
import { headerOf } from '../core/header.js'
import { Persistent } from '../core/persistent.js'
import type { Reference } from '../core/reference.js'

/*
 * The number of entries of a tree that has inner nodes is the sum of several counters, each in a record of its own.
 * One counter, or counts of subtrees up to the root, would make any two transactions that add entries conflict. So
 * each transaction changes one counter of its choice, and two of them meet with a probability of 1 in COUNTERS.
 */

/** How many counters a tree has. The size of a cold tree costs as many loads. */
export const COUNTERS = 16

interface CounterState {
  count: number
}

/** A part of the number of entries of a BTree. Not for use by programs; it is a class only in order to be stored. */
export class BTreeCounter extends Persistent {
  static readonly [BARE] = true
  static readonly className: string = 'BTreeCounter'
}

/** New counters that together say `total`, for the state of a tree. */
export function newCounters(total: number): Reference[] {
  return Array.from({ length: COUNTERS }, (_, index) => {
    const counter = new BTreeCounter()
    writeState<CounterState>(counter).count = index === 0 ? total : 0
    return stored(counter) as Reference
  })
}

/** What the counters of `tree` say together. */
export function countedBy(tree: Persistent, counters: readonly Reference[]): number {
  let total = 0
  for (const counter of counters) total += readState<CounterState>(shown(tree, counter) as BTreeCounter).count
  return total
}

/** Adds to the counter that this transaction has changed already, or to any one. */
export function addToCount(tree: Persistent, counters: readonly Reference[], difference: number): void {
  const known = counters.find((counter) => counter.object !== undefined && headerOf(counter.object)?.changed)
  const chosen = known ?? counters[Math.floor(Math.random() * counters.length)]
  writeState<CounterState>(shown(tree, chosen) as BTreeCounter).count += difference
}

import { type InspectOptions, inspect } from 'node:util'
import { BARE, holdState, readState, STAND_IN, shown, stored, writeState } from '../core/bare-state.js'
import { PerdureError } from '../core/errors.js'
import { Persistent } from '../core/persistent.js'
import { inspectCollection } from './inspect-collection.js'
import { type ListState, listProxy } from './list-proxy.js'

/** The methods of Array that {@link PersistentList} takes over as they are. */
export interface PersistentList<T = unknown> extends Array<T> {}

/**
 * A persistent array, in one record: loaded and stored as a whole. For more than some thousand elements use a BTree.
 *
 * It is used like an array: `list[0]`, `list.length = 0`, `[...list]`, `Array.isArray(list)`, `JSON.stringify(list)`,
 * and every method of Array.prototype, also those of later versions of JavaScript. Elements may be anything that can
 * be stored. Methods that return a new array return a plain one.
 *
 * It is not an `instanceof Array`, and it has no other properties than its elements. As an array it is iterated over by
 * position, so iteration goes on after changes, and after the transaction has ended.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: what the interface adds is put on the prototype below
export class PersistentList<T = unknown> extends Persistent {
  static readonly [BARE] = true
  static readonly [STAND_IN] = listProxy
  static readonly className: string = 'PersistentList'

  /**
   * @param elements what the list holds at first
   * @throws PerdureError `PERDURE_ARGUMENT` if they cannot be iterated over: `new PersistentList(3)` sets no length
   */
  constructor(elements?: Iterable<T> | null) {
    super()
    if (typeof (elements ?? [])[Symbol.iterator] !== 'function') {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `A PersistentList is made of elements, [a, b, c], not of ${String(elements)}.`,
      )
    }
    writeState<ListState>(this).items = [...(elements ?? [])].map(stored)
  }

  /** Adds elements at the end and returns the new length. O(1) for each. */
  push(...elements: T[]): number {
    if (elements.length === 0) return this.length
    return writeState<ListState>(this).items.push(...elements.map(stored))
  }

  /** Removes the last element and returns it; undefined if there is none. O(1). */
  pop(): T | undefined {
    if (this.length === 0) return undefined
    return shown(this, writeState<ListState>(this).items.pop()) as T
  }

  /** Removes the first element and returns it; undefined if there is none. O(n), but fast. */
  shift(): T | undefined {
    if (this.length === 0) return undefined
    return shown(this, writeState<ListState>(this).items.shift()) as T
  }

  /** Adds elements at the beginning and returns the new length. O(n), but fast. */
  unshift(...elements: T[]): number {
    if (elements.length === 0) return this.length
    return writeState<ListState>(this).items.unshift(...elements.map(stored))
  }

  /** Removes `deleteCount` elements at `start`, puts others there, and returns a plain array of the removed ones. O(n), but fast. */
  splice(start: number, deleteCount?: number): T[]
  splice(start: number, deleteCount: number, ...elements: T[]): T[]
  splice(...given: [start: number, deleteCount?: number, ...elements: T[]]): T[] {
    // How many arguments there are makes a difference: splice(1) is not splice(1, undefined).
    const args = given.map((value, i) => (i < 2 ? value : stored(value)))
    const removed = writeState<ListState>(this).items.splice(...(args as [number, number, ...unknown[]]))
    return removed.map((value) => shown(this, value) as T)
  }

  /** A plain array of the elements from `start` up to but not including `end`. O(n). */
  slice(start?: number, end?: number): T[] {
    // Held, so that containers in it stay part of the state even if following a reference evicts it.
    const { items } = holdState<ListState>(this)
    return items.slice(start, end).map((value) => shown(this, value) as T)
  }

  /** Sorts in place, as an array does. O(n log n). */
  sort(compare?: (a: T, b: T) => number): this {
    const sorted = this.slice().sort(compare)
    const { items } = writeState<ListState>(this)
    for (let i = 0; i < sorted.length; i++) {
      // Holes come last.
      if (i in sorted) items[i] = stored(sorted[i])
      else delete items[i]
    }
    return this
  }

  /** Reverses the order in place. O(n). */
  reverse(): this {
    writeState<ListState>(this).items.reverse()
    return this
  }

  /** Sets every element from `start` up to but not including `end`. O(n). */
  fill(value: T, start?: number, end?: number): this {
    writeState<ListState>(this).items.fill(stored(value), start, end)
    return this
  }

  /** Copies the elements from `start` up to but not including `end` over those from `target` on. O(n). */
  copyWithin(target: number, start: number, end?: number): this {
    writeState<ListState>(this).items.copyWithin(target, start, end)
    return this
  }

  /** Whether `element` is there, from position `from` on; NaN is found. O(n). */
  includes(element: T, from?: number): boolean {
    if (typeof element === 'object' && element !== null) return Array.prototype.includes.call(this, element, from)
    return readState<ListState>(this).items.includes(element, from)
  }

  /** The first position of `element`, from `from` on, or -1. O(n). */
  indexOf(element: T, from?: number): number {
    if (typeof element === 'object' && element !== null) return Array.prototype.indexOf.call(this, element, from)
    return readState<ListState>(this).items.indexOf(element, from)
  }

  /** A plain array. */
  override toJSON(): T[] {
    return this.slice()
  }

  /** Shows the elements in console.log as those of an array. */
  override [inspect.custom](depth: number | null, options: InspectOptions, show: typeof inspect): string {
    return inspectCollection(this, () => this.slice(), { depth, options, show })
  }
}

// The methods of Array.prototype ask of `this` no more than `length` and access by index.
for (const key of Reflect.ownKeys(Array.prototype)) {
  if (key === 'length' || Object.hasOwn(PersistentList.prototype, key)) continue
  const descriptor = Reflect.getOwnPropertyDescriptor(Array.prototype, key)
  Object.defineProperty(PersistentList.prototype, key, descriptor as PropertyDescriptor)
}

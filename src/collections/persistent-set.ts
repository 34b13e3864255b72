import { type InspectOptions, inspect } from 'node:util'
import { BARE, readState, stored, writeState } from '../core/bare-state.js'
import { Persistent } from '../core/persistent.js'
import { inspectCollection } from './inspect-collection.js'
import { type KeyedState, liveEntries, searchable } from './keyed-state.js'
import { checkSetLike, intersect, keysOf, type SetLike } from './set-like.js'

type Items = Set<unknown>

/**
 * A persistent Set, in one record: loaded and stored as a whole. For more than some thousand members, or when several
 * transactions add members at the same time, use a BTree.
 *
 * Members may be anything that can be stored. They are told apart as in a Set (SameValueZero), persistent objects by
 * identity; a plain object or array is found again only through what the set itself gives.
 */
export class PersistentSet<T = unknown> extends Persistent implements Set<T> {
  static readonly [BARE] = true
  static readonly className: string = 'PersistentSet'

  /** @param members what the set holds at first, as for a Set */
  constructor(members?: Iterable<T> | null) {
    super()
    writeState<KeyedState<Items>>(this).items = new Set()
    if (members !== undefined && members !== null) for (const member of members) this.add(member)
  }

  /** Number of members. */
  get size(): number {
    return readState<KeyedState<Items>>(this).items.size
  }

  /** O(1). */
  has(member: T): boolean {
    return searchable<Items>(this, member).has(stored(member))
  }

  /** Adds a member, after those that are there. Adding one that is there already is no change. O(1). */
  add(member: T): this {
    if (!this.has(member)) writeState<KeyedState<Items>>(this).items.add(stored(member))
    return this
  }

  /** Removes a member and says whether it was there. O(1). */
  delete(member: T): boolean {
    return this.has(member) && writeState<KeyedState<Items>>(this).items.delete(stored(member))
  }

  /** Removes every member. */
  clear(): void {
    if (this.size > 0) writeState<KeyedState<Items>>(this).items.clear()
  }

  /** Calls back with each member, in the order of insertion. Members that the callback adds are visited too. */
  forEach(callback: (value: T, key: T, set: Set<T>) => void, thisArg?: unknown): void {
    for (const member of this.values()) callback.call(thisArg, member, member, this)
  }

  /**
   * The members, in the order of insertion. Those added meanwhile are seen, those deleted ahead are not.
   *
   * @throws PerdureError `PERDURE_STALE`, from the iterator, if the set is replaced meanwhile: by abort, or by
   *   another connection's commit once this transaction has ended
   */
  *values(): Generator<T, undefined, unknown> {
    for (const [member] of this.entries()) yield member
    return undefined
  }

  /** The same as {@link values}. */
  keys(): Generator<T, undefined, unknown> {
    return this.values()
  }

  /** Each member twice, as a pair. See {@link values}. */
  entries(): Generator<[T, T], undefined, unknown> {
    return liveEntries<Items>(this) as Generator<[T, T], undefined, unknown>
  }

  [Symbol.iterator](): Generator<T, undefined, unknown> {
    return this.values()
  }

  /**
   * A plain Set of the members of either. O(n + m), as are the following ones.
   *
   * @param other any set, or an object with `size`, `has` and `keys`
   * @throws PerdureError `PERDURE_ARGUMENT` if `other` is no such object, as do the following ones
   */
  union<U>(other: SetLike<U>): Set<T | U> {
    checkSetLike(other)
    const result = new Set<T | U>(this)
    for (const member of keysOf(other)) result.add(member)
    return result
  }

  /** A plain Set of the members of both. */
  intersection<U>(other: SetLike<U>): Set<T & U> {
    checkSetLike(other)
    return intersect<T, U>(this, other)
  }

  /** A plain Set of the members that `other` does not have. */
  difference<U>(other: SetLike<U>): Set<T> {
    checkSetLike(other)
    const result = new Set<T>(this)
    if (this.size > other.size) for (const member of keysOf(other)) result.delete(member as unknown as T)
    else for (const member of this) if (other.has(member as unknown as U)) result.delete(member)
    return result
  }

  /** A plain Set of the members of one but not of both. */
  symmetricDifference<U>(other: SetLike<U>): Set<T | U> {
    checkSetLike(other)
    const result = new Set<T | U>(this)
    for (const member of keysOf(other)) {
      if (this.has(member as unknown as T)) result.delete(member)
      else result.add(member)
    }
    return result
  }

  /** True if `other` has every member. */
  isSubsetOf(other: SetLike<unknown>): boolean {
    checkSetLike(other)
    if (this.size > other.size) return false
    for (const member of this) if (!other.has(member)) return false
    return true
  }

  /** True if this set has every member of `other`. */
  isSupersetOf(other: SetLike<unknown>): boolean {
    checkSetLike(other)
    if (this.size < other.size) return false
    for (const member of keysOf(other)) if (!this.has(member as T)) return false
    return true
  }

  /** True if the two have no member in common. */
  isDisjointFrom(other: SetLike<unknown>): boolean {
    checkSetLike(other)
    return intersect(this, other).size === 0
  }

  get [Symbol.toStringTag](): string {
    return 'PersistentSet'
  }

  /** An array of the members: JSON has no Sets. */
  override toJSON(): T[] {
    return [...this]
  }

  /** Shows the members in console.log as those of a Set. */
  override [inspect.custom](depth: number | null, options: InspectOptions, show: typeof inspect): string {
    return inspectCollection(this, () => new Set(this), { depth, options, show })
  }
}

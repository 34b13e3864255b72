import { PerdureError } from '../core/errors.js'

/** What the methods that compare or combine sets take: Sets, Maps (for their keys), and whatever looks like them. */
export interface SetLike<T> {
  readonly size: number
  has(value: T): boolean
  keys(): Iterator<T>
}

/** @throws PerdureError `PERDURE_ARGUMENT` unless `other` has `size`, `has` and `keys` */
export function checkSetLike(other: unknown): void {
  const { size, has, keys } = (other ?? {}) as Partial<SetLike<unknown>>
  if (typeof size === 'number' && size >= 0 && typeof has === 'function' && typeof keys === 'function') return
  throw new PerdureError('PERDURE_ARGUMENT', 'A set, or an object with a size, has() and keys(), is needed here.')
}

/** The members of a set-like object. Its `keys` need only give an iterator, not an iterable. */
export function* keysOf<T>(other: SetLike<T>): Generator<T, undefined, unknown> {
  const members = other.keys()
  for (let step = members.next(); step.done !== true; step = members.next()) yield step.value
  return undefined
}

/** What both have, found by going through the smaller one, as the standard has it. */
export function intersect<T, U>(one: SetLike<T>, other: SetLike<U>): Set<T & U> {
  const result = new Set<T & U>()
  if (one.size <= other.size) {
    for (const member of keysOf(one)) if (other.has(member as unknown as U)) result.add(member as T & U)
  } else {
    for (const member of keysOf(other)) if (one.has(member as unknown as T)) result.add(member as T & U)
  }
  return result
}

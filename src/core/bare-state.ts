import { canonicalizeKeys } from './canonical-keys.js'
import { fromStored } from './from-stored.js'
import { HEADER, type Header } from './header.js'
import type { Persistent } from './persistent.js'
import { handOver, toStored } from './to-stored.js'

export { BARE, STAND_IN } from './class-info.js'

/*
 * For classes of kind `bare` (`static readonly [BARE] = true`): the collections. They keep their state as they like,
 * and are not behind a Proxy, unless they make one themselves by `STAND_IN`. What they store must have gone through
 * `stored`, what they give out through `shown`.
 */

/** The state of a bare object, loaded and noted as read. It must not be changed. */
export function readState<S extends object>(object: Persistent): S {
  return (object[HEADER] as Header).read() as S
}

/** The state of a bare object, about to be changed. Use what this returns: an earlier `readState` may be outdated. */
export function writeState<S extends object>(object: Persistent): S {
  return (object[HEADER] as Header).write() as S
}

/**
 * The state, and the promise that eviction ends with the same one: as long as the caller holds what this returns,
 * reading the state again gives it back, unless it has been replaced by abort or another connection's commit.
 */
export function holdState<S extends object>(object: Persistent): S {
  const header = object[HEADER] as Header
  const state = header.read()
  header.lent = true
  return state as S
}

/** What to keep in a state for a value given by the user. */
export function stored(value: unknown): unknown {
  return toStored(value)
}

/** What to give the user for a value in the state of `object`. */
export function shown(object: Persistent, value: unknown): unknown {
  return typeof value === 'object' && value !== null ? fromStored(object[HEADER] as Header, value) : value
}

/** Must be called once for each loaded state before a Map or Set in it is searched by a persistent object. */
export function prepareKeys(object: Persistent, keyed: Map<unknown, unknown> | Set<unknown>): void {
  canonicalizeKeys(object[HEADER] as Header, keyed)
}

/**
 * Must be called when values have been moved from the state of one object to that of another: references among them
 * can then be followed from there, and containers that somebody holds belong to `to`.
 */
export function valuesMoved(from: Persistent, to: Persistent, values: readonly unknown[]): void {
  handOver(from[HEADER] as Header, to[HEADER] as Header, values)
}

import { holdState, prepareKeys, readState, shown } from '../core/bare-state.js'
import { PerdureError } from '../core/errors.js'
import type { Persistent } from '../core/persistent.js'
import { oidOf } from '../core/persistent.js'

type Keyed = Map<unknown, unknown> | Set<unknown>

/** The state of a PersistentMap or a PersistentSet. */
export interface KeyedState<C extends Keyed> {
  items: C
}

/** The Maps and Sets whose keys have been made ready for look-ups by persistent object. */
const prepared = new WeakSet<Keyed>()

/** What `object` holds, ready to be searched for `key`, and not to be changed. */
export function searchable<C extends Keyed>(object: Persistent, key: unknown): C {
  if (typeof key !== 'object' || key === null) return readState<KeyedState<C>>(object).items
  return prepare<C>(object).items
}

/**
 * The entries of a Map or Set as the user sees them, live: what is added meanwhile is seen, what is deleted ahead
 * is not. A Set's entries are pairs of the same value.
 *
 * @throws PerdureError `PERDURE_STALE` if the state is replaced while the iteration goes on
 */
export function* liveEntries<C extends Keyed>(object: Persistent): Generator<[unknown, unknown], undefined, unknown> {
  // Preparing the keys later, in the middle of the iteration, would rebuild what is iterated over.
  const state = prepare<C>(object)
  for (const [key, value] of state.items.entries()) {
    yield [shown(object, key), shown(object, value)]
    if (readState(object) !== state) throw stale(object)
  }
  return undefined
}

function prepare<C extends Keyed>(object: Persistent): KeyedState<C> {
  const state = holdState<KeyedState<C>>(object)
  if (!prepared.has(state.items)) {
    prepareKeys(object, state.items)
    prepared.add(state.items)
  }
  return state
}

function stale(object: Persistent): PerdureError {
  const className = object.constructor.name
  const oid = oidOf(object)
  return new PerdureError(
    'PERDURE_STALE',
    `This ${className} was replaced while it was iterated over (by abort, or by another connection's commit). Begin the iteration again.`,
    { details: { className, ...(oid === undefined ? {} : { oid }) } },
  )
}

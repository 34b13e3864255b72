import { follow } from './dereference.js'
import { type Header, headerOf } from './header.js'
import { Reference } from './reference.js'
import { toStored } from './to-stored.js'

/**
 * Makes every reference among the keys of a stored Map or Set the one that {@link toStored} would give, so that
 * look-ups by object find it. A decoded state may hold other instances that mean the same object.
 */
export function canonicalizeKeys(header: Header, keyed: Map<unknown, unknown> | Set<unknown>): void {
  let foreign = false
  for (const key of keyed.keys()) if (key instanceof Reference && !isCanonical(key)) foreign = true
  if (!foreign) return
  if (keyed instanceof Map) {
    const entries = [...keyed]
    keyed.clear()
    for (const [key, value] of entries) keyed.set(canonical(header, key), value)
  } else {
    const members = [...keyed]
    keyed.clear()
    for (const member of members) keyed.add(canonical(header, member))
  }
}

function canonical(header: Header, key: unknown): unknown {
  return toStored(key instanceof Reference ? (key.object ?? follow(header, key)) : key)
}

/** A reference that was followed as a value may stand among the keys too, and still not be the object's own. */
function isCanonical(reference: Reference): boolean {
  return reference.object !== undefined && headerOf(reference.object)?.reference === reference
}

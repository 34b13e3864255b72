import { containerBehind, isContainer, knownProxy, proxyFor } from './container.js'
import { follow } from './dereference.js'
import type { Header } from './header.js'
import { KeyedContainer } from './keyed-container.js'
import { PlainContainer } from './plain-container.js'
import { Reference } from './reference.js'

/** What to show the user for a value in the state of `header`'s object. The inverse of `toStored`. */
export function fromStored(header: Header, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Reference) return value.object ?? follow(header, value)
  if (isContainer(value)) return track(header, value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) lend(header, value)
  return value
}

function track(header: Header, raw: object): object {
  header.lent = true
  const known = knownProxy(raw)
  if (known !== undefined) {
    containerBehind(known)?.adopt(header)
    return known
  }
  const keyed = raw instanceof Map || raw instanceof Set
  return proxyFor(keyed ? new KeyedContainer(header, raw, fromStored) : new PlainContainer(header, raw, fromStored))
}

/** The state that bytes were given out from. The bytes keep it in memory. */
const lenders = new WeakMap<object, object>()

/**
 * Bytes may be edited in place, and noteChange called only then. If the object is evicted in between, it must get
 * back the state that the bytes are part of, as with containers.
 */
function lend(header: Header, bytes: object): void {
  header.lent = true
  if (lenders.get(bytes) !== header.state) lenders.set(bytes, header.read())
}

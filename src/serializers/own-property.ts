import type { State } from '../core/serializer.js'

/** Sets an own property, `__proto__` too, which a plain assignment would take for the prototype. */
export function setOwn(object: State, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else {
    object[key] = value
  }
}

import type { InspectOptions, inspect } from 'node:util'
import { headerOf } from '../core/header.js'
import type { Persistent } from '../core/persistent.js'

/** What `util.inspect` passes to a custom inspection function. */
export interface InspectCall {
  /** How many more levels to show; null for all. */
  readonly depth: number | null
  readonly options: InspectOptions
  readonly show: typeof inspect
}

/** The objects being shown right now: Node sees each call of a custom inspection function as a new one. */
const showing = new Set<Persistent>()

/** Shows a collection as the built-in one that `copy` makes, under its own class's name: `PersistentMap(1) { 'a' => 1 }`. */
export function inspectAs(object: Persistent, native: string, copy: () => object, call: InspectCall): string {
  const name = headerOf(object)?.info.name ?? object.constructor.name
  if (showing.has(object)) return '[Circular]'
  const { depth, options } = call
  if (depth !== null && depth < 0) return `[${name}]`
  showing.add(object)
  try {
    const shown = call.show(copy(), { ...options, depth })
    return shown.startsWith(native) ? name + shown.slice(native.length) : `${name} ${shown}`
  } finally {
    showing.delete(object)
  }
}

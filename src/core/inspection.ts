import type { InspectOptions, inspect } from 'node:util'
import { headerOf } from './header.js'
import { NO_OID } from './reference.js'

/** Options of `util.inspect` for values that hold persistent objects. */
export interface PersistentInspectOptions extends InspectOptions {
  /**
   * Shows persistent objects with their oids, `Account #12 { owner: 'Ada' }`, and those within them by class and oid
   * alone, so that nothing but the outermost ones is loaded.
   */
  readonly identities?: boolean
}

/** What `util.inspect` passes to a custom inspection function. */
export interface InspectCall {
  /** How many more levels to show; null for all. */
  readonly depth: number | null
  readonly options: PersistentInspectOptions
  readonly show: typeof inspect
}

/** The objects being shown right now: Node sees each call of a custom inspection function as a new beginning. */
const showing = new Set<object>()

/** Shows a persistent object as what `content` makes, with a name before it. Cycles and deep nesting end as they do for plain objects. */
export function inspectAs(object: object, name: string, content: () => unknown, call: InspectCall): string {
  const { depth, options, show } = call
  const title = options.identities === true ? `${name} ${identity(object)}` : name
  if (options.identities === true && showing.size > 0) return title
  if (showing.has(object)) return '[Circular]'
  if (depth !== null && depth < 0) return `[${title}]`
  showing.add(object)
  try {
    return `${title} ${show(content(), { ...options, depth })}`
  } finally {
    showing.delete(object)
  }
}

function identity(object: object): string {
  const oid = headerOf(object)?.oid ?? NO_OID
  return oid === NO_OID ? '(new)' : `#${oid}`
}

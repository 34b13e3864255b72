import type { InspectOptions, inspect } from 'node:util'

/** What `util.inspect` passes to a custom inspection function. */
export interface InspectCall {
  /** How many more levels to show; null for all. */
  readonly depth: number | null
  readonly options: InspectOptions
  readonly show: typeof inspect
}

/** The objects being shown right now: Node sees each call of a custom inspection function as a new beginning. */
const showing = new Set<object>()

/** Shows a persistent object as what `content` makes, with a name before it. Cycles and deep nesting end as they do for plain objects. */
export function inspectAs(object: object, name: string, content: () => unknown, call: InspectCall): string {
  const { depth, options, show } = call
  if (showing.has(object)) return '[Circular]'
  if (depth !== null && depth < 0) return `[${name}]`
  showing.add(object)
  try {
    return `${name} ${show(content(), { ...options, depth })}`
  } finally {
    showing.delete(object)
  }
}

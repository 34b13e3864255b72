import type { Header } from './header.js'
import { headerOf } from './header.js'
import { Reference } from './reference.js'
import type { Step } from './storable.js'

/**
 * Writes a path as one would in a program: `root.ada.tags[2]`. Only made for messages.
 */
export function formatPath(start: string, steps: readonly Step[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`
    return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `${path}.${step}` : `${path}[${JSON.stringify(step)}]`
  }, start)
}

/**
 * The steps from `root` to `target` over objects that are in memory, by breadth-first search, or undefined. Loads
 * nothing and notes no reads: it is used to explain an error.
 */
export function findPath(root: Header, target: Header): Step[] | undefined {
  const paths = new Map<Header, Step[]>([[root, []]])
  for (const [header, path] of paths) {
    if (header === target) return path
    if (header.state === undefined) continue
    const visit = (found: Header, steps: readonly Step[]) => {
      if (!paths.has(found)) paths.set(found, [...path, ...visibleSteps(header, steps)])
    }
    visitReferences(header.info.toState(header.state), [], visit, new Set())
  }
  return undefined
}

/** A collection's contents lie below a field of its own, which users do not know of. */
export function visibleSteps(header: Header, steps: readonly Step[]): readonly Step[] {
  return header.info.kind === 'bare' ? steps.slice(1) : steps
}

type Visit = (found: Header, steps: readonly Step[]) => void

function visitReferences(value: unknown, steps: readonly Step[], visit: Visit, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  const header = headerOf(value instanceof Reference ? (value.object ?? value) : value)
  if (header !== undefined) {
    visit(header, steps)
    return
  }
  if (value instanceof Reference) return
  const entries: Iterable<[unknown, unknown]> =
    value instanceof Map ? value : value instanceof Set ? value.entries() : Object.entries(value)
  for (const [key, item] of entries) {
    const step = Array.isArray(value) ? Number(key) : typeof key === 'number' ? key : String(key)
    visitReferences(item, [...steps, step], visit, seen)
  }
}

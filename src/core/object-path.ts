import type { Header } from './header.js'
import { headerOf } from './header.js'
import { Reference } from './reference.js'
import { MAX_DEPTH } from './serializer.js'
import type { Step } from './storable.js'
import { rawOf } from './to-stored.js'

/** A longer path is shown without its middle. */
const MAX_STEPS = 40

/**
 * Writes a path as one would in a program: `root.ada.tags[2]`. Only made for messages.
 */
export function formatPath(start: string, steps: readonly Step[]): string {
  if (steps.length <= MAX_STEPS) return start + steps.map(formatStep).join('')
  const [first, last] = [steps.slice(0, MAX_STEPS / 2), steps.slice(-MAX_STEPS / 2)]
  return `${start}${first.map(formatStep).join('')} ... ${last.map(formatStep).join('')}`
}

function formatStep(step: Step): string {
  if (typeof step === 'number') return `[${step}]`
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
}

/**
 * The steps from `root` to `target` over objects that are in memory, by breadth-first search, or undefined. Loads
 * nothing and notes no reads: it is used to explain an error. Takes time and memory in proportion to what is in memory.
 */
export function findPath(root: Header, target: Header): Step[] | undefined {
  const origins = new Map<Header, Origin | undefined>([[root, undefined]])
  for (const header of origins.keys()) {
    if (header === target) return stepsTo(header, origins)
    if (header.state === undefined) continue
    const visit = (found: Header, steps: readonly Step[]) => {
      if (!origins.has(found)) origins.set(found, { header, steps: visibleSteps(header, steps) })
    }
    visitReferences(header.info.toState(header.state), [], visit, new Set())
  }
  return undefined
}

/** From where an object was first found. */
interface Origin {
  readonly header: Header
  readonly steps: readonly Step[]
}

function stepsTo(target: Header, origins: ReadonlyMap<Header, Origin | undefined>): Step[] {
  const parts: (readonly Step[])[] = []
  for (let origin = origins.get(target); origin !== undefined; origin = origins.get(origin.header)) {
    parts.push(origin.steps)
  }
  return parts.reverse().flat()
}

/** A collection's contents lie below a field of its own, which users do not know of. */
export function visibleSteps(header: Header, steps: readonly Step[]): readonly Step[] {
  return header.info.kind === 'bare' ? steps.slice(1) : steps
}

type Visit = (found: Header, steps: readonly Step[]) => void

function visitReferences(item: unknown, steps: readonly Step[], visit: Visit, seen: Set<object>): void {
  if (typeof item !== 'object' || item === null || seen.has(item) || steps.length > MAX_DEPTH) return
  seen.add(item)
  const value = rawOf(item)
  const header = headerOf(value instanceof Reference ? (value.object ?? value) : value)
  if (header !== undefined) {
    visit(header, steps)
    return
  }
  if (value instanceof Reference) return
  const entries: Iterable<[unknown, unknown]> =
    value instanceof Map ? value : value instanceof Set ? value.entries() : Object.entries(value)
  for (const [key, below] of entries) {
    const step = Array.isArray(value) ? Number(key) : typeof key === 'number' ? key : String(key)
    visitReferences(below, [...steps, step], visit, seen)
  }
}

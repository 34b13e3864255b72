import { type Dependency, type DependencyGraph, stronglyConnected } from './dependency-graph.js'
import type { AnomalyKind } from './history.js'

/** Dependencies that lead from a transaction back to itself. */
export interface Cycle {
  readonly kind: AnomalyKind
  readonly steps: readonly Dependency[]
}

/** Where read-write dependencies may occur in a path that follows one and leads to another. */
type Rule = 'none' | 'nonadjacent' | 'any'

/**
 * The worst cycle of each set of transactions that depend on each other: one that fewer isolation levels allow comes
 * before others. A dependency in real time counts as one that even snapshots must keep, because the commit of the
 * first transaction came before the snapshot of the second.
 */
export function findCycles(graph: DependencyGraph): Cycle[] {
  return stronglyConnected(graph).map((component) => {
    const within = graph.among(component)
    const cycle =
      cycleOf(within, 'G0', ({ kind }) => kind === 'ww' || kind === 'rt') ??
      cycleOf(within, 'G1c', ({ kind }) => kind !== 'rw') ??
      cycleThroughReads(within, 'G-single', 'none') ??
      cycleThroughReads(within, 'G-nonadjacent', 'nonadjacent') ??
      cycleThroughReads(within, 'G2', 'any')
    if (cycle === undefined) throw new Error('A strongly connected component must contain a cycle.')
    return cycle
  })
}

/** A short cycle of allowed dependencies. */
function cycleOf(graph: DependencyGraph, kind: AnomalyKind, allow: (step: Dependency) => boolean): Cycle | undefined {
  const [component] = stronglyConnected(graph.filter(allow))
  if (component === undefined) return undefined
  const within = graph.filter(allow).among(component)
  return shortest(kind, within, within.from(component[0] as number), 'any')
}

/** A shortest cycle that contains a read-write dependency, and others as the rule says. */
function cycleThroughReads(graph: DependencyGraph, kind: AnomalyKind, rule: Rule): Cycle | undefined {
  const steps = [...graph.dependencies()].filter((step) => step.kind === 'rw')
  return shortest(kind, graph, steps, rule)
}

/** The shortest of the cycles that begin with one of `steps`. */
function shortest(
  kind: AnomalyKind,
  graph: DependencyGraph,
  steps: readonly Dependency[],
  rule: Rule,
): Cycle | undefined {
  let best: Cycle | undefined
  for (const step of steps) {
    const rest = findPath(graph, step.to, step.from, rule)
    if (rest === undefined || (best !== undefined && best.steps.length <= rest.length + 1)) continue
    best = { kind, steps: [step, ...rest] }
  }
  return best
}

/** A transaction, and the way on which the search has come there. */
interface Place {
  readonly node: number
  readonly step: Dependency | undefined
  readonly before: Place | undefined
}

/** A shortest path by breadth-first search. A transaction counts twice: as reached by a read-write dependency or not. */
function findPath(graph: DependencyGraph, start: number, goal: number, rule: Rule): Dependency[] | undefined {
  const seen = { read: new Set([start]), other: new Set<number>() }
  const queue: Place[] = [{ node: start, step: undefined, before: undefined }]
  for (const place of queue) {
    // What leads to the start, and on from the goal, is a read-write dependency where the rule matters.
    const afterRead = place.step === undefined || place.step.kind === 'rw'
    if (place.node === goal && !(afterRead && rule === 'nonadjacent')) return stepsTo(place)
    for (const step of graph.from(place.node)) {
      if (step.kind === 'rw' && (rule === 'none' || (rule === 'nonadjacent' && afterRead))) continue
      const known = step.kind === 'rw' ? seen.read : seen.other
      if (known.has(step.to)) continue
      known.add(step.to)
      queue.push({ node: step.to, step, before: place })
    }
  }
  return undefined
}

function stepsTo(place: Place): Dependency[] {
  const steps: Dependency[] = []
  for (let at: Place | undefined = place; at?.step !== undefined; at = at.before) steps.unshift(at.step)
  return steps
}

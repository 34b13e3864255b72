import type { RelationName } from './format.js'
import type { Synset } from './model.js'

/** One step of a path: how it was reached from the one before, and what was reached. */
export interface Step {
  readonly relation: RelationName | undefined
  readonly synset: Synset
}

/** From a synset to ever more general ones, by the first hypernym each time, up to one that has none. */
export function hypernymPath(synset: Synset): Step[] {
  const path: Step[] = []
  // A few verbs of WordNet are, by several steps, hypernyms of themselves.
  const seen = new Set<Synset>()
  let step: Step | undefined = { relation: undefined, synset }
  while (step !== undefined && !seen.has(step.synset)) {
    seen.add(step.synset)
    path.push(step)
    step = parent(step.synset)
  }
  return path
}

function parent({ relations }: Synset): Step | undefined {
  for (const relation of ['hypernym', 'instanceHypernym'] as const) {
    const synset = relations[relation]?.[0]
    if (synset !== undefined) return { relation, synset }
  }
  return undefined
}

/** The shortest way from one of `start` to one of `goal` over relations of any kind (breadth-first search), or undefined. */
export function shortestPath(start: Iterable<Synset>, goal: Iterable<Synset>): Step[] | undefined {
  const goals = new Set(goal)
  const arrivals = new Map<Synset, { step: Step; from: Synset | undefined }>()
  for (const synset of start) arrivals.set(synset, { step: { relation: undefined, synset }, from: undefined })
  // A Map is iterated in the order of insertion, what is added meanwhile included: it is the queue as well.
  for (const synset of arrivals.keys()) {
    if (goals.has(synset)) return trace(synset, arrivals)
    for (const [relation, related] of Object.entries(synset.relations) as [RelationName, Synset[]][]) {
      for (const next of related) {
        if (!arrivals.has(next)) arrivals.set(next, { step: { relation, synset: next }, from: synset })
      }
    }
  }
  return undefined
}

function trace(end: Synset, arrivals: ReadonlyMap<Synset, { step: Step; from: Synset | undefined }>): Step[] {
  const path: Step[] = []
  for (let at: Synset | undefined = end; at !== undefined; ) {
    const arrival = arrivals.get(at)
    if (arrival === undefined) break
    path.unshift(arrival.step)
    at = arrival.from
  }
  return path
}

/**
 * Why a transaction must stand before another one in every serial order that explains what was seen.
 *
 * - `ww`: the second one's append comes directly after one of the first in a list
 * - `wr`: the second one has read the first one's append
 * - `rw`: the first one has read a list as it was before the second one's append (an anti-dependency)
 * - `rt`: the first one had ended before the second one began
 */
export type DependencyKind = 'ww' | 'wr' | 'rw' | 'rt'

export interface Dependency {
  readonly from: number
  readonly to: number
  readonly kind: DependencyKind
  /** The list that shows it; '' for `rt`. */
  readonly list: string
}

/** Transactions, by number, and the dependencies between them. */
export class DependencyGraph {
  readonly #out = new Map<number, Dependency[]>()

  constructor(dependencies: Iterable<Dependency> = []) {
    for (const dependency of dependencies) this.add(dependency)
  }

  /** Adds a dependency, unless it is of a transaction on itself. */
  add(dependency: Dependency): void {
    const { from, to } = dependency
    if (from === to) return
    const known = this.#out.get(from)
    if (known === undefined) this.#out.set(from, [dependency])
    else known.push(dependency)
  }

  /** Those that others depend on. */
  nodes(): Iterable<number> {
    return this.#out.keys()
  }

  from(node: number): readonly Dependency[] {
    return this.#out.get(node) ?? []
  }

  *dependencies(): Generator<Dependency> {
    for (const dependencies of this.#out.values()) yield* dependencies
  }

  /** The same transactions with some of the dependencies. */
  filter(keep: (dependency: Dependency) => boolean): DependencyGraph {
    return new DependencyGraph([...this.dependencies()].filter(keep))
  }

  /** Only these transactions, and the dependencies between them. */
  among(nodes: readonly number[]): DependencyGraph {
    const members = new Set(nodes)
    return new DependencyGraph(nodes.flatMap((node) => this.from(node).filter(({ to }) => members.has(to))))
  }
}

/** A node that the search has entered. */
interface Visit {
  readonly node: number
  readonly order: number
  /** The smallest order of the open nodes that can be reached from here, as far as is known. */
  lowest: number
  /** Which of its dependencies comes next. */
  next: number
  /** Whether its component is not yet complete. */
  open: boolean
}

/**
 * Sets of transactions each of which depends on every other one of the set; single ones are left out. Every cycle
 * lies within one. Tarjan's algorithm (SIAM Journal on Computing 1(2), 1972), with a stack of its own so that long
 * histories do not overflow that of the program.
 */
export function stronglyConnected(graph: DependencyGraph): number[][] {
  const visits = new Map<number, Visit>()
  const stack: Visit[] = []
  const components: number[][] = []

  function enter(node: number): Visit {
    const visit = { node, order: visits.size, lowest: visits.size, next: 0, open: true }
    visits.set(node, visit)
    stack.push(visit)
    return visit
  }

  function leave(visit: Visit): void {
    if (visit.lowest !== visit.order) return
    const component = stack.splice(stack.lastIndexOf(visit))
    for (const member of component) member.open = false
    if (component.length > 1) components.push(component.map(({ node }) => node))
  }

  for (const root of graph.nodes()) {
    if (visits.has(root)) continue
    const path = [enter(root)]
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const dependency = graph.from(visit.node)[visit.next++]
      if (dependency === undefined) {
        path.pop()
        leave(visit)
        const above = path.at(-1)
        if (above !== undefined) above.lowest = Math.min(above.lowest, visit.lowest)
        continue
      }
      const target = visits.get(dependency.to)
      if (target === undefined) path.push(enter(dependency.to))
      else if (target.open) visit.lowest = Math.min(visit.lowest, target.order)
    }
  }
  return components
}

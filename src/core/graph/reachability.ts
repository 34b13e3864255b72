import type { Oid } from '../oid.js'
import { NumberColumn } from './number-column.js'
import type { ReferenceGraph } from './reference-graph.js'

/**
 * Finds what can be reached from some objects, breadth-first. It works in steps, so that the thread can do other things
 * in between. Takes a bit for each oid of the graph and four bytes for each object that is reached.
 */
export class Reachability {
  readonly #graph: ReferenceGraph
  readonly #marks: Uint8Array
  /** Numbers of the objects that have been reached, in that order. Those from `#next` on have not been looked at. */
  readonly #order = new NumberColumn()
  #next = 0

  /** @param roots where to begin; those that do not exist reach nothing */
  constructor(graph: ReferenceGraph, roots: Iterable<Oid>) {
    this.#graph = graph
    this.#marks = new Uint8Array(Math.ceil(graph.oids.count / 8))
    for (const oid of roots) {
      const number = graph.oids.find(oid)
      if (number >= 0) this.#reach(number)
    }
  }

  /** How many objects have been reached so far. */
  get reached(): number {
    return this.#order.length
  }

  /**
   * Goes on.
   *
   * @param objects how many to look at, at most
   * @returns whether there are more
   */
  step(objects = Number.POSITIVE_INFINITY): boolean {
    const graph = this.#graph
    const end = this.#next + objects
    for (; this.#next < end && this.#next < this.#order.length; this.#next++) {
      const number = this.#order.get(this.#next)
      const references = graph.referenceCount(number)
      for (let i = 0; i < references; i++) this.#reach(graph.reference(number, i))
    }
    return this.#next < this.#order.length
  }

  #reach(number: number): void {
    const bit = 1 << (number & 7)
    const marks = this.#marks[number >>> 3] as number
    if ((marks & bit) !== 0) return
    this.#marks[number >>> 3] = marks | bit
    if (this.#graph.has(number)) this.#order.push(number)
  }

  /** Whether an object of the graph has been reached. */
  has(number: number): boolean {
    return ((this.#marks[number >>> 3] as number) & (1 << (number & 7))) !== 0
  }

  /** Number of the object that was reached as the `position`-th: nearer to the roots come first. */
  at(position: number): number {
    return this.#order.get(position)
  }
}

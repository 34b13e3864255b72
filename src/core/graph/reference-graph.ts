import { PerdureError } from '../errors.js'
import type { Oid } from '../oid.js'
import type { RecordBatch } from '../storage.js'
import { NumberColumn } from './number-column.js'
import { OidNumbering } from './oid-numbering.js'

/** What a {@link ReferenceGraph} takes of a batch. */
export type ReferenceBatch = Pick<RecordBatch, 'oids' | 'referenceEnds' | 'references'>

/** Places in the list of references are kept in four bytes. */
const MAX_EDGES = 2 ** 32 - 1

/**
 * Which object refers to which, in typed arrays: 12 bytes for each object and 4 for each reference, where most oids
 * below the largest one are in use.
 *
 * Objects go by numbers, which {@link oids} gives out in the order in which an oid is first seen, be it as an object
 * or as what an object refers to.
 */
export class ReferenceGraph {
  readonly oids = new OidNumbering()
  /** For each object one more than the place in `#edges` where it begins, 0 where there is no such object. */
  readonly #starts = new NumberColumn()
  /** For each object how many references it has, then the numbers of what it refers to. */
  readonly #edges = new NumberColumn()
  #objects = 0

  /** How many objects have been added. */
  get objects(): number {
    return this.#objects
  }

  /**
   * Takes in the objects of a batch. An object that comes a second time takes the place of the first.
   *
   * @returns the numbers of the batch's objects
   * @throws PerdureError `PERDURE_LIMIT` if there are more than 2^32 objects and references
   */
  add({ oids, referenceEnds, references }: ReferenceBatch): Uint32Array {
    const numbers = new Uint32Array(oids.length)
    let from = 0
    for (let i = 0; i < oids.length; i++) {
      const to = referenceEnds[i] as number
      numbers[i] = this.#add(oids[i] as Oid, references, from, to)
      from = to
    }
    return numbers
  }

  #add(oid: Oid, references: Float64Array, from: number, to: number): number {
    const edges = this.#edges
    if (edges.length + 1 + to - from > MAX_EDGES) {
      throw new PerdureError('PERDURE_LIMIT', `More than ${MAX_EDGES} objects and references cannot be held in memory.`)
    }
    const number = this.oids.numberOf(oid)
    if (!this.has(number)) this.#objects++
    this.#starts.set(number, edges.length + 1)
    edges.push(to - from)
    for (let i = from; i < to; i++) edges.push(this.oids.numberOf(references[i] as Oid))
    return number
  }

  /** Whether there is an object with this number; else it is only referred to. */
  has(number: number): boolean {
    return number < this.#starts.length && this.#starts.get(number) !== 0
  }

  /** How many references an object has. */
  referenceCount(number: number): number {
    return this.#edges.get(this.#starts.get(number) - 1)
  }

  /** Number of what an object refers to. @param position below its {@link referenceCount} */
  reference(number: number, position: number): number {
    return this.#edges.get(this.#starts.get(number) + position)
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { NumberColumn } from '../graph/number-column.js'
import { Reachability } from '../graph/reachability.js'
import { ReferenceGraph } from '../graph/reference-graph.js'
import { type Oid, ROOT_OID } from '../oid.js'
import type { RecordBatch, Storage } from '../storage.js'
import { type DiagnosticOptions, scanStorage } from './scan-storage.js'

/** An object that cannot be reached from the root. */
export interface UnreachableObject {
  readonly oid: Oid
  readonly className: string
  /** Size of its record, in bytes. */
  readonly bytes: number
}

/** How much there is that cannot be reached. */
export interface UnreachableTotals {
  readonly objects: number
  /** Size of their records, in bytes. */
  readonly bytes: number
  /** All objects, those that can be reached included. */
  readonly objectsTotal: number
  readonly bytesTotal: number
}

/** Objects looked at between two turns of the event loop: a few milliseconds. */
const STEP = 16_384

/**
 * What a pack that keeps no history would remove. The storage is read, at one snapshot, when the totals or the first
 * object are asked for; what has been found is then held, so that both can be asked for, again and again.
 *
 * Takes 24 bytes for each object and 4 for each reference, where most oids below the largest one are in use.
 */
export class UnreachableObjects implements AsyncIterable<UnreachableObject> {
  readonly #storage: Storage
  readonly #options: DiagnosticOptions
  #found: Promise<Findings> | undefined

  constructor(storage: Storage, options: DiagnosticOptions = {}) {
    this.#storage = storage
    this.#options = options
  }

  /** @throws PerdureError what {@link Storage.snapshotAt} and {@link Snapshot.scan} throw; the reason of `signal` */
  async totals(): Promise<UnreachableTotals> {
    return (await this.#find()).totals
  }

  /** In the order of their oids. */
  async *[Symbol.asyncIterator](): AsyncGenerator<UnreachableObject, void> {
    const { objects, reachability } = await this.#find()
    let seen = 0
    for (const [oid, number] of objects.graph.oids.entries()) {
      if (++seen % STEP === 0) await this.#pause()
      if (!objects.graph.has(number) || reachability.has(number)) continue
      yield { oid, className: objects.classNameOf(number), bytes: objects.bytes.get(number) }
    }
  }

  #find(): Promise<Findings> {
    this.#found ??= this.#scanAndMark()
    return this.#found
  }

  async #scanAndMark(): Promise<Findings> {
    const objects = new ObjectTable()
    for await (const batch of scanStorage(this.#storage, this.#options)) objects.add(batch)
    const reachability = new Reachability(objects.graph, [ROOT_OID])
    while (reachability.step(STEP)) {
      await this.#pause()
      this.#options.onProgress?.({ phase: 'mark', objects: reachability.reached, bytes: objects.bytesTotal })
    }
    return { objects, reachability, totals: totalsOf(objects, reachability) }
  }

  async #pause(): Promise<void> {
    await nextTurn()
    this.#options.signal?.throwIfAborted()
  }
}

interface Findings {
  readonly objects: ObjectTable
  readonly reachability: Reachability
  readonly totals: UnreachableTotals
}

/** All objects of a scan. */
class ObjectTable {
  readonly graph = new ReferenceGraph()
  /** By the numbers of the graph. */
  readonly bytes = new NumberColumn()
  readonly #classes = new NumberColumn()
  readonly #classNames: string[] = []
  readonly #classIndexes = new Map<string, number>()
  bytesTotal = 0

  add(batch: RecordBatch): void {
    const indexes = batch.classNames.map((className) => this.#classIndex(className))
    const numbers = this.graph.add(batch)
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] as number
      const bytes = batch.bytes[i] as number
      this.bytes.set(number, bytes)
      this.bytesTotal += bytes
      this.#classes.set(number, indexes[batch.classes[i] as number] as number)
    }
  }

  classNameOf(number: number): string {
    return this.#classNames[this.#classes.get(number)] as string
  }

  #classIndex(className: string): number {
    const known = this.#classIndexes.get(className)
    if (known !== undefined) return known
    this.#classIndexes.set(className, this.#classNames.length)
    return this.#classNames.push(className) - 1
  }
}

function totalsOf({ graph, bytes, bytesTotal }: ObjectTable, reachability: Reachability): UnreachableTotals {
  let reached = 0
  for (let i = 0; i < reachability.reached; i++) reached += bytes.get(reachability.at(i))
  return {
    objects: graph.objects - reachability.reached,
    bytes: bytesTotal - reached,
    objectsTotal: graph.objects,
    bytesTotal,
  }
}

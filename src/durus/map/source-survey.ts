import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import { NumberColumn } from '../../core/graph/number-column.js'
import { Reachability } from '../../core/graph/reachability.js'
import { ReferenceGraph } from '../../core/graph/reference-graph.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import { ObjectDataReader } from '../object-data.js'
import { OidTable } from '../oid-table.js'
import type { PythonGlobal } from '../pickle/python-values.js'
import type { DurusObject, DurusSource } from '../source.js'
import type { ClassMap, Family, MappedClass } from './class-map.js'

/** Objects looked at before others get a turn. */
const TURN_OBJECTS = 4096

/** Objects in memory at a time: few, so that they do not grow old. */
const BATCH_OBJECTS = 256

export interface SurveyOptions {
  readonly signal?: AbortSignal | undefined
  /** Called now and then with the number of objects that have been looked at. */
  readonly onObjects?: ((objects: number) => void) | undefined
}

/** Which objects of a source can be reached, and of what classes they are. */
export class SourceSurvey {
  /**
   * Which one each object is. In the graph objects go by that instead of their oids, whose pages a file full of stray
   * references could make as many as it likes.
   */
  readonly #places = new OidTable()
  readonly #graph = new ReferenceGraph()
  #reached = new Reachability(this.#graph, [])
  /** By the numbers of the graph: one more than the index of the object's class, 0 if that cannot be read. */
  readonly #classes = new NumberColumn()
  readonly #unreadable = new Map<number, unknown>()
  readonly #types: PythonGlobal[] = []
  readonly #typeIndexes = new Map<string, number>()
  /** Of the object before: often the next one has the same. */
  #lastType: PythonGlobal | undefined
  #lastIndex = 0
  readonly #families: Family[] = []
  readonly #counts: number[] = []
  readonly #strays = new Set<number>()
  /** By the indexes of the classes; those of garbage have none. */
  readonly #mapped: (MappedClass | undefined)[] = []

  private constructor() {}

  /**
   * Looks at all objects of a source, and finds those that can be reached from the root.
   *
   * @throws PerdureError `PERDURE_OBJECT_MISSING` if there is no root; `PERDURE_DECODE` if an object that can be reached
   *   does not begin with a class; `PERDURE_CLASS`; what `source` throws; the reason of `signal`
   */
  static async of(source: DurusSource, classMap: ClassMap, options: SurveyOptions = {}): Promise<SourceSurvey> {
    const survey = new SourceSurvey()
    await survey.#scan(source, options)
    await survey.#walk(source, options)
    for (const type of survey.#types) survey.#families.push(classMap.family(type))
    survey.#countReached()
    survey.#findStrays()
    survey.#resolve(classMap)
    return survey
  }

  /** How many objects can be reached. */
  get objects(): number {
    return this.#reached.reached
  }

  /** All classes, by their indexes; those of garbage are not there. */
  get types(): readonly (MappedClass | undefined)[] {
    return this.#mapped
  }

  /** The index of an object's class among {@link types}, if the object is there and can be reached. */
  typeOf(oid: Oid): number | undefined {
    const number = this.#find(oid)
    if (number === undefined || !this.#reached.has(number)) return undefined
    return this.#classIndex(number)
  }

  /** The class of an object, if it is there and can be reached. */
  classOf(oid: Oid): MappedClass | undefined {
    const index = this.typeOf(oid)
    return index === undefined ? undefined : this.#mapped[index]
  }

  /** True for nodes of BTrees that something else than trees refers to: they cannot be made anew with a tree alone. */
  isStray(oid: Oid): boolean {
    const number = this.#find(oid)
    return number !== undefined && this.#strays.has(number)
  }

  /**
   * Notes that the value of a tree's entry is a node: its tree alone cannot tell it from those that it is made of. What
   * is below it is a stray too.
   */
  addStray(oid: Oid): void {
    const number = this.#find(oid)
    if (number === undefined || this.#strays.has(number)) return
    this.#strays.add(number)
    this.#markNodesBelow([number])
  }

  /** Whether there are nodes that are no part of a tree alone. */
  get hasStrays(): boolean {
    return this.#strays.size > 0
  }

  /** All classes of objects that can be reached, with how many there are. */
  *classes(): Generator<MappedClass & { readonly objects: number }, void> {
    for (const [i, mapped] of this.#mapped.entries()) {
      if (mapped !== undefined) yield { ...mapped, objects: this.#counts[i] as number }
    }
  }

  async #scan(source: DurusSource, options: SurveyOptions): Promise<void> {
    const reader = new ObjectDataReader()
    let objects = 0
    let batch: DurusObject[] = []
    for (const oid of source.oids()) this.#places.set(oid, this.#places.count)
    for (const oid of source.oids()) {
      const object = source.load(oid)
      if (object === undefined) continue
      batch.push(object)
      if (batch.length < BATCH_OBJECTS) continue
      this.#add(batch, reader)
      objects += batch.length
      batch = []
      if (objects % TURN_OBJECTS === 0) await turn(options, objects)
    }
    this.#add(batch, reader)
  }

  #add(batch: readonly DurusObject[], reader: ObjectDataReader): void {
    const referenceEnds: number[] = []
    const places: number[] = []
    for (const object of batch) {
      for (const oid of object.references) {
        const place = this.#places.get(oid)
        if (place !== undefined) places.push(place)
      }
      referenceEnds.push(places.length)
    }
    const numbers = this.#graph.add({
      oids: Float64Array.from(batch, ({ oid }) => this.#places.get(oid) as number),
      referenceEnds: Uint32Array.from(referenceEnds),
      references: Float64Array.from(places),
    })
    for (const [i, object] of batch.entries()) this.#classify(numbers[i] as number, object, reader)
  }

  #classify(number: number, object: DurusObject, reader: ObjectDataReader): void {
    try {
      this.#classes.set(number, this.#typeIndex(reader.readClass(object)) + 1)
    } catch (error) {
      // It may be garbage, which nobody wants to have.
      this.#classes.set(number, 0)
      this.#unreadable.set(number, error)
    }
  }

  #typeIndex(type: PythonGlobal): number {
    if (type === this.#lastType) return this.#lastIndex
    this.#lastType = type
    this.#lastIndex = this.#findTypeIndex(type)
    return this.#lastIndex
  }

  #findTypeIndex(type: PythonGlobal): number {
    const { dottedName } = type
    const known = this.#typeIndexes.get(dottedName)
    if (known !== undefined) return known
    const index = this.#types.push(type) - 1
    this.#typeIndexes.set(dottedName, index)
    return index
  }

  async #walk({ path, objects }: DurusSource, options: SurveyOptions): Promise<void> {
    const root = this.#places.get(ROOT_OID)
    if (root === undefined) {
      throw new PerdureError('PERDURE_OBJECT_MISSING', `${path} has no root object.`, {
        details: { path, oid: ROOT_OID },
      })
    }
    this.#reached = new Reachability(this.#graph, [root])
    while (this.#reached.step(TURN_OBJECTS)) await turn(options, objects)
    for (const [number, error] of this.#unreadable) if (this.#reached.has(number)) throw error
  }

  #countReached(): void {
    for (let i = 0; i < this.#reached.reached; i++) {
      const index = this.#classIndex(this.#reached.at(i))
      this.#counts[index] = (this.#counts[index] ?? 0) + 1
    }
  }

  #resolve(classMap: ClassMap): void {
    const used = [...this.#counts.keys()].filter((index) => this.#counts[index] !== undefined)
    const mapped = classMap.resolve(used.map((index) => this.#types[index] as PythonGlobal))
    for (const [i, index] of used.entries()) this.#mapped[index] = mapped[i]
  }

  /** A stray node keeps the nodes below it from being made anew, too. */
  #findStrays(): void {
    const pending: number[] = []
    for (let i = 0; i < this.#reached.reached; i++) {
      const number = this.#reached.at(i)
      const family = this.#family(number)
      if (family !== 'tree' && family !== 'node') pending.push(number)
    }
    this.#markNodesBelow(pending)
  }

  #markNodesBelow(pending: number[]): void {
    for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
      for (let i = 0; i < this.#graph.referenceCount(number); i++) {
        const target = this.#graph.reference(number, i)
        if (!this.#graph.has(target) || this.#family(target) !== 'node' || this.#strays.has(target)) continue
        this.#strays.add(target)
        pending.push(target)
      }
    }
  }

  /** The number of an object in the graph. */
  #find(oid: Oid): number | undefined {
    const place = this.#places.get(oid)
    return place === undefined ? undefined : this.#graph.oids.find(place)
  }

  #classIndex(number: number): number {
    return this.#classes.get(number) - 1
  }

  #family(number: number): Family | undefined {
    return this.#families[this.#classIndex(number)]
  }
}

async function turn({ signal, onObjects }: SurveyOptions, objects: number): Promise<void> {
  onObjects?.(objects)
  await nextTurn()
  signal?.throwIfAborted()
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import { NumberColumn } from '../../core/graph/number-column.js'
import { OidNumbering } from '../../core/graph/oid-numbering.js'
import { type Oid, ROOT_OID } from '../../core/oid.js'
import { ObjectDataReader } from '../object-data.js'
import type { PythonGlobal } from '../pickle/python-values.js'
import type { DurusObject, DurusSource } from '../source.js'
import type { ClassMap, MappedClass } from './class-map.js'

/** Objects looked at before others get a turn. */
const TURN_OBJECTS = 1000

/** Bits of what is known of an object. */
const PLAIN_REFERRER = 1
const STRAY = 2

export interface SurveyOptions {
  readonly signal?: AbortSignal | undefined
  readonly onObject?: ((found: number) => void) | undefined
}

/** Which objects can be reached, and of what classes they are. */
export class SourceSurvey {
  readonly #numbering = new OidNumbering()
  /** By the numbers of the oids: 0 for an object that is not there, else the index of its class and one. */
  readonly #classes = new NumberColumn()
  readonly #flags = new NumberColumn()
  readonly #types: PythonGlobal[] = []
  readonly #families: string[] = []
  readonly #typeIndexes = new Map<string, number>()
  readonly #counts: number[] = []
  #mapped: readonly MappedClass[] = []
  /** How many objects can be reached. */
  objects = 0

  private constructor() {}

  /**
   * Goes through all objects that can be reached from the root.
   *
   * @throws PerdureError `PERDURE_OBJECT_MISSING` if there is no root; `PERDURE_DECODE` if an object does not begin with
   *   a class; `PERDURE_CLASS`; what `source` throws; the reason of `signal`
   */
  static async of(source: DurusSource, classMap: ClassMap, options: SurveyOptions = {}): Promise<SourceSurvey> {
    const survey = new SourceSurvey()
    await survey.#walk(source, classMap, options)
    survey.#markStrays(source)
    survey.#mapped = classMap.resolve(survey.#types)
    return survey
  }

  /** The class of an object that can be reached. */
  classOf(oid: Oid): MappedClass | undefined {
    const number = this.#numbering.find(oid)
    return number < 0 ? undefined : this.#mapped[this.#classes.get(number) - 1]
  }

  /** True for nodes of BTrees that something else refers to as well: they cannot be made anew with their tree. */
  isStray(oid: Oid): boolean {
    return (this.#flags.get(this.#numbering.find(oid)) & STRAY) !== 0
  }

  /** All classes, with how many objects each has. */
  *classes(): Generator<MappedClass & { readonly objects: number }, void> {
    for (const [i, mapped] of this.#mapped.entries()) yield { ...mapped, objects: this.#counts[i] as number }
  }

  async #walk(source: DurusSource, classMap: ClassMap, { signal, onObject }: SurveyOptions): Promise<void> {
    const reader = new ObjectDataReader()
    const pending: Oid[] = []
    this.#discover(ROOT_OID, 0, pending)
    for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
      const object = source.load(oid)
      if (object === undefined) {
        if (oid !== ROOT_OID) continue
        throw new PerdureError('PERDURE_OBJECT_MISSING', `${source.path} has no root object.`, {
          details: { path: source.path, oid },
        })
      }
      const family = this.#add(object, reader.readClass(object), classMap)
      const flag = family === 'tree' || family === 'node' ? 0 : PLAIN_REFERRER
      for (const target of object.references) this.#discover(target, flag, pending)
      if (this.objects % TURN_OBJECTS === 0) {
        onObject?.(this.objects)
        await nextTurn()
        signal?.throwIfAborted()
      }
    }
  }

  #discover(oid: Oid, flag: number, pending: Oid[]): void {
    const known = this.#numbering.count
    const number = this.#numbering.numberOf(oid)
    if (number === known) {
      this.#classes.push(0)
      this.#flags.push(flag)
      pending.push(oid)
    } else if (flag !== 0) {
      this.#flags.set(number, flag)
    }
  }

  #add({ oid }: DurusObject, type: PythonGlobal, classMap: ClassMap): string {
    let index = this.#typeIndexes.get(type.dottedName)
    if (index === undefined) {
      index = this.#types.push(type) - 1
      this.#typeIndexes.set(type.dottedName, index)
      this.#families.push(classMap.family(type))
      this.#counts.push(0)
    }
    this.#classes.set(this.#numbering.find(oid), index + 1)
    this.#counts[index] = (this.#counts[index] as number) + 1
    this.objects++
    return this.#families[index] as string
  }

  /** A stray node keeps the nodes below it from being made anew, too. */
  #markStrays(source: DurusSource): void {
    const pending: Oid[] = []
    for (const [oid, number] of this.#numbering.entries()) {
      if (this.#isNode(number) && this.#flags.get(number) === PLAIN_REFERRER) pending.push(oid)
    }
    for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
      const number = this.#numbering.find(oid)
      if (!this.#isNode(number) || (this.#flags.get(number) & STRAY) !== 0) continue
      this.#flags.set(number, this.#flags.get(number) | STRAY)
      pending.push(...(source.load(oid)?.references ?? []))
    }
  }

  #isNode(number: number): boolean {
    return this.#families[this.#classes.get(number) - 1] === 'node'
  }
}

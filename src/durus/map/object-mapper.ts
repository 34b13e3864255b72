import { DEFAULT_NODE_SIZE } from '../../collections/btree.js'
import { layOutTree } from '../../collections/btree-layout.js'
import type { Oid } from '../../core/oid.js'
import type { Reference } from '../../core/reference.js'
import type { State } from '../../core/serializer.js'
import { ObjectDataReader } from '../object-data.js'
import type { DurusObject, DurusSource } from '../source.js'
import type { Family, MappedClass } from './class-map.js'
import { mapState } from './fields.js'
import { type MappingContext, StateMapper } from './state-mapper.js'
import { storedReferences } from './stored-references.js'
import { TreeReader } from './tree-reader.js'

/** An object as it is to be written. */
export interface MappedObject {
  readonly oid: Oid
  readonly className: string
  readonly references: readonly Reference[]
  readonly state: State
}

/** Maps whole objects. */
export class ObjectMapper {
  readonly #reader = new ObjectDataReader()
  readonly #mapper: StateMapper

  constructor(context: MappingContext) {
    this.#mapper = new StateMapper(context)
  }

  /**
   * Maps an object that is no BTree.
   *
   * @throws PerdureError `PERDURE_DECODE`, `PERDURE_UNSTORABLE` and, if a function of the user's fails,
   *   `PERDURE_ARGUMENT`; all with `details.oid`
   */
  map(object: DurusObject, { pythonName, className, family, convert }: MappedClass): MappedObject {
    const mapper = this.#mapper
    const { oid } = object
    const { state: pythonState } = this.#reader.read(object)
    mapper.begin({ oid, className: pythonName })
    let state = mapState(mapper, family, pythonState)
    if (convert !== undefined) {
      try {
        state = convert(state, { oid, pythonClass: pythonName })
      } catch (cause) {
        throw mapper.converterFailed(pythonName, cause)
      }
    }
    if (!isStateOf(family, state)) throw mapper.refuse('its converter has given something else than fields')
    const isChecked = convert === undefined && !mapper.converted
    const references = isChecked ? mapper.references : this.#check(state)
    return { oid, className, references, state }
  }

  /** Maps a BTree: to a node for each record, at oids that are free, and the tree at its own. */
  *mapTree(
    source: DurusSource,
    object: DurusObject,
    { pythonName, className }: MappedClass,
    allocateOid: () => Oid,
  ): Generator<MappedObject, void> {
    const { oid } = object
    const tree = new TreeReader(source, this.#reader, this.#mapper)
    const { entries, extras } = tree.read({ oid, className: pythonName }, object)
    for (const part of layOutTree({ oid, className }, entries, DEFAULT_NODE_SIZE, allocateOid)) {
      const state = part.oid === oid ? { ...part.state, ...extras } : part.state
      yield { ...part, state, references: this.#check(state) }
    }
  }

  #check(state: State): Reference[] {
    return storedReferences(state, (what) => this.#mapper.refuse(`there is ${what}`))
  }
}

/** What collections hold stands in one field. */
const ITEMS: Readonly<Partial<Record<Family, object>>> = {
  map: Map.prototype,
  list: Array.prototype,
  set: Set.prototype,
}

/** Whether a function of the user's has left a state what it must be for objects of this family. */
function isStateOf(family: Family, state: unknown): boolean {
  if (typeof state !== 'object' || state === null || Object.getPrototypeOf(state) !== Object.prototype) return false
  const items = ITEMS[family]
  return items === undefined || Object.getPrototypeOf((state as State)['items'] ?? false) === items
}

import { BTree } from '../../collections/btree.js'
import { collectionClasses } from '../../collections/collection-classes.js'
import { PersistentList } from '../../collections/persistent-list.js'
import { PersistentMap } from '../../collections/persistent-map.js'
import { PersistentSet } from '../../collections/persistent-set.js'
import { type PersistentClass, storedName } from '../../core/class-info.js'
import { PerdureError } from '../../core/errors.js'
import type { Oid } from '../../core/oid.js'
import { Persistent } from '../../core/persistent.js'
import { MAX_CLASS_NAME } from '../../core/record.js'
import type { State } from '../../core/serializer.js'
import type { PythonGlobal } from '../pickle/python-values.js'
import type { ValueConverter } from './state-mapper.js'

/** Changes the fields of an object, as they have been mapped; references among them can only be passed on. */
export type StateConverter = (state: State, object: { readonly oid: Oid; readonly pythonClass: string }) => State

/** What becomes of a class: a class that extends Persistent or the name of one, and perhaps a change of the fields. */
export type ClassTarget =
  | PersistentClass
  | string
  | { readonly class: PersistentClass | string; readonly convert?: StateConverter }

/** What the user says about the mapping. */
export interface DurusMapping {
  /** By the dotted name in Python, such as `bank.model.Account`. */
  readonly classes?: Readonly<Record<string, ClassTarget>>
  /** What becomes of other objects, such as `decimal.Decimal`, instead of their plain forms. */
  readonly values?: Readonly<Record<string, ValueConverter>>
}

/** How the state of a class's instances is mapped. */
export type Family = 'fields' | 'map' | 'list' | 'set' | 'tree' | 'node'

/** What becomes of one class of Python. */
export interface MappedClass {
  readonly pythonName: string
  readonly className: string
  readonly family: Family
  readonly convert: StateConverter | undefined
}

const DURUS_CLASSES: ReadonlyMap<string, readonly [className: string, family: Family]> = new Map([
  ['durus.persistent_dict.PersistentDict', [PersistentMap.className, 'map']],
  ['durus.persistent_list.PersistentList', [PersistentList.className, 'list']],
  ['durus.persistent_set.PersistentSet', [PersistentSet.className, 'set']],
  ['durus.btree.BTree', [BTree.className, 'tree']],
])

/** Nodes are of one class for each degree: BNode, BNode2, BNode4 and so on. */
const DURUS_NODE = /^durus\.btree\.BNode[0-9]*$/

const FAMILIES: readonly (readonly [PersistentClass, Family])[] = [
  [PersistentMap, 'map'],
  [PersistentList, 'list'],
  [PersistentSet, 'set'],
  [BTree, 'tree'],
]

/** No class of the user's may be taken for one of these. */
const RESERVED: ReadonlySet<string> = new Set(collectionClasses.map(storedName))

/** Knows what becomes of each class. */
export class ClassMap {
  readonly #mapping: Readonly<Record<string, ClassTarget>>

  /** @throws PerdureError `PERDURE_ARGUMENT` or `PERDURE_CLASS` for what is no {@link ClassTarget} */
  constructor(mapping: DurusMapping = {}) {
    this.#mapping = mapping.classes ?? {}
    for (const [name, target] of Object.entries(this.#mapping)) checkTarget(name, target)
  }

  family({ dottedName }: PythonGlobal): Family {
    const target = this.#target(dottedName)
    if (target !== undefined) return familyOf(target)
    return DURUS_CLASSES.get(dottedName)?.[1] ?? (DURUS_NODE.test(dottedName) ? 'node' : 'fields')
  }

  /**
   * Names the classes of a whole database. A class keeps its bare name, unless another one has it.
   *
   * @throws PerdureError `PERDURE_CLASS` if a name is too long
   */
  resolve(types: readonly PythonGlobal[]): MappedClass[] {
    const taken = new Map<string, number>()
    for (const type of types) {
      const name = this.#givenName(type) ?? type.name
      taken.set(name, (taken.get(name) ?? 0) + 1)
    }
    return types.map((type) => {
      const given = this.#givenName(type)
      const isFree = taken.get(type.name) === 1 && !RESERVED.has(type.name)
      const className = given ?? (isFree ? type.name : type.dottedName)
      checkName(type, className)
      const target = this.#target(type.dottedName)
      const convert = typeof target === 'object' ? target.convert : undefined
      return { pythonName: type.dottedName, className, family: this.family(type), convert }
    })
  }

  #givenName({ dottedName }: PythonGlobal): string | undefined {
    const target = this.#target(dottedName)
    return target === undefined ? DURUS_CLASSES.get(dottedName)?.[0] : nameOf(target)
  }

  #target(dottedName: string): ClassTarget | undefined {
    return Object.hasOwn(this.#mapping, dottedName) ? this.#mapping[dottedName] : undefined
  }
}

function typeOf(target: ClassTarget): PersistentClass | string {
  return typeof target === 'object' ? target.class : target
}

function nameOf(target: ClassTarget): string {
  const type = typeOf(target)
  return typeof type === 'string' ? type : storedName(type)
}

function familyOf(target: ClassTarget): Family {
  const type = typeOf(target)
  for (const [base, family] of FAMILIES) {
    if (typeof type === 'string' ? type === base.className : type === base || type.prototype instanceof base)
      return family
  }
  return 'fields'
}

function checkTarget(name: string, target: ClassTarget): void {
  const type = typeof target === 'object' && target !== null ? target.class : target
  const isClass = typeof type === 'function' && type.prototype instanceof Persistent
  if (!isClass && (typeof type !== 'string' || type === '')) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `The mapping of ${name} is neither a class that extends Persistent, nor the name of one, nor { class, convert }.`,
    )
  }
  const convert = typeof target === 'object' ? target.convert : undefined
  if (convert === undefined) return
  if (typeof convert !== 'function') {
    throw new PerdureError('PERDURE_ARGUMENT', `The mapping of ${name} has a convert that is no function.`)
  }
  if (familyOf(target) === 'tree') {
    throw new PerdureError('PERDURE_ARGUMENT', `The mapping of ${name} converts a BTree, whose nodes are made anew.`)
  }
}

function checkName({ dottedName }: PythonGlobal, className: string): void {
  if (className !== '' && Buffer.byteLength(className) <= MAX_CLASS_NAME && className.isWellFormed()) return
  throw new PerdureError(
    'PERDURE_CLASS',
    `The name of the class ${dottedName.slice(0, 80)} cannot be stored. Give it another one: map it.`,
  )
}

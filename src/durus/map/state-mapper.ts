import { PerdureError } from '../../core/errors.js'
import { formatPath } from '../../core/object-path.js'
import type { Oid } from '../../core/oid.js'
import { Reference } from '../../core/reference.js'
import { MAX_DEPTH, MAX_PROPERTIES, type State } from '../../core/serializer.js'
import type { Step } from '../../core/storable.js'
import { setOwn } from '../../serializers/own-property.js'
import { MAX_STATE_BYTES } from '../object-data.js'
import {
  PersistentId,
  PythonByteString,
  PythonDict,
  PythonGlobal,
  type PythonObject,
  PythonSet,
  PythonTuple,
} from '../pickle/python-values.js'
import { describe } from './describe-value.js'
import type { ChangeKind, ChangeList } from './import-report.js'
import { mapObject } from './object-forms.js'
import { durusReference } from './persistent-id.js'

/** What turns a plain form of a Python object into something better; see docs/durus.md. */
export type ValueConverter = (form: State) => unknown

/** What the mapper must know of everything else. */
export interface MappingContext {
  /** The name of an object's class in the new database; undefined if there is no such object. */
  classOf(oid: Oid): string | undefined
  /** Told of every object that a state refers to in the new database. */
  onReference?(oid: Oid): void
  /** Converters of the user's, by the dotted name of what they convert. */
  readonly converters: ReadonlyMap<string, ValueConverter>
  readonly changes: ChangeList
}

/** Whose values are mapped. */
export interface Subject {
  readonly oid: Oid
  /** The class in Python. */
  readonly className: string
}

/**
 * Maps the values of Python to those that a state may hold. One mapper serves all objects, one after the other. What
 * was one value in an object stays one, cycles included.
 */
export class StateMapper {
  readonly #context: MappingContext
  readonly #references = new Map<Oid, Reference>()
  readonly #mapped = new Map<object, unknown>()
  readonly #steps: Step[] = []
  #subject: Subject = { oid: 0, className: '' }
  /** Whether a converter has had a hand in the values since {@link begin}: then they may be anything. */
  converted = false
  #textLength = 0

  constructor(context: MappingContext) {
    this.#context = context
  }

  /** Goes on with another object. */
  begin(subject: Subject): void {
    this.#subject = subject
    this.#references.clear()
    this.#mapped.clear()
    this.#steps.length = 0
    this.#textLength = 0
    this.converted = false
  }

  /** What the values mapped since {@link begin} refer to. */
  get references(): Reference[] {
    return [...this.#references.values()]
  }

  get converters(): ReadonlyMap<string, ValueConverter> {
    return this.#context.converters
  }

  /** Whether there is an object that can be reached. */
  isThere(oid: Oid): boolean {
    return this.#context.classOf(oid) !== undefined
  }

  /** Maps the value at `step` of the value under way. */
  at(step: Step, value: unknown): unknown {
    if (typeof value !== 'object') return this.#primitive(value)
    if (value === null) return null
    this.#steps.push(step)
    const mapped = this.#object(value)
    this.#steps.pop()
    return mapped
  }

  /** Does what concerns the value at `step` of the value under way. */
  within<T>(step: Step, work: () => T): T {
    this.#steps.push(step)
    const result = work()
    this.#steps.pop()
    return result
  }

  #primitive(value: unknown): unknown {
    if (typeof value === 'string') this.#count(value.length)
    else if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) this.#count(value.toString(16).length)
    return value
  }

  /** Texts are written as often as they occur, however often that is, so there must be an end to them. */
  #count(length: number): void {
    this.#textLength += length
    if (this.#textLength <= MAX_STATE_BYTES) return
    throw this.refuse(`its texts have more than ${MAX_STATE_BYTES} characters in all`)
  }

  #object(value: object): unknown {
    if (value instanceof PersistentId) return this.#reference(value)
    if (value instanceof Uint8Array) return value
    const known = this.#mapped.get(value)
    if (known !== undefined) return known
    if (this.#steps.length >= MAX_DEPTH) throw this.refuse(`it nests more than ${MAX_DEPTH} levels deep`)
    if (Array.isArray(value)) return this.#items(value, value)
    if (value instanceof PythonTuple) {
      this.note('tuple', value, 'an array')
      return this.#items(value, value.items)
    }
    if (value instanceof PythonDict) return this.dict(value, value.entries)
    if (value instanceof PythonSet) return this.set(value)
    if (value instanceof PythonByteString) return this.#byteString(value)
    return this.#other(value)
  }

  #other(value: object): unknown {
    if (value instanceof PythonGlobal) {
      this.note('python-global', value, 'an object with its name as $global')
      return this.same(value, { $global: value.dottedName })
    }
    return mapObject(this, value as PythonObject)
  }

  /** Notes what a value has become, before its parts are mapped, which may refer to it. */
  same<T extends object>(value: object, mapped: T): T {
    this.#mapped.set(value, mapped)
    return mapped
  }

  /** Replaces what {@link same} has noted. */
  replace(value: object, mapped: unknown): unknown {
    this.#mapped.set(value, mapped)
    return mapped
  }

  #reference(id: PersistentId): unknown {
    const target = durusReference(id)
    if (target === undefined) throw this.refuse('a persistent id is none of Durus')
    const { oid } = target
    const known = this.#references.get(oid)
    if (known !== undefined) return known
    const className = this.#context.classOf(oid)
    if (className === undefined) {
      this.noteAs('missing-object', `a reference to ${target.type.dottedName} ${oid}, which does not exist`, '$missing')
      return { $missing: target.type.dottedName, oid }
    }
    this.#context.onReference?.(oid)
    const reference = new Reference(oid, className)
    this.#references.set(oid, reference)
    return reference
  }

  #items(value: object, items: readonly unknown[]): unknown[] {
    const array: unknown[] = this.same(value, [])
    for (let i = 0; i < items.length; i++) array.push(this.at(i, items[i]))
    return array
  }

  /** Maps a dict, given as keys and values in turn: to a plain object if all keys are text, else to a Map. */
  dict(value: object, entries: readonly unknown[]): object {
    let isPlain = true
    for (let i = 0; i < entries.length; i += 2) {
      if (typeof entries[i] !== 'string') isPlain = false
    }
    if (isPlain && entries.length / 2 > MAX_PROPERTIES) {
      isPlain = false
      this.note('large-dict', value, 'a Map')
    }
    return isPlain ? this.#plain(value, entries) : this.map(value, entries)
  }

  #plain(value: object, entries: readonly unknown[]): State {
    const object: State = this.same(value, {})
    for (let i = 0; i < entries.length; i += 2) {
      const key = entries[i] as string
      this.#count(key.length)
      setOwn(object, key, this.at(key, entries[i + 1]))
    }
    return object
  }

  /** Maps a dict, given as keys and values in turn, to a Map. */
  map(value: object, entries: readonly unknown[]): object {
    const map = this.same(value, new Map<unknown, unknown>())
    const keys = new Set<unknown>()
    for (let i = 0; i < entries.length; i += 2) {
      const key = this.#key(entries[i])
      keys.add(key)
      map.set(key, this.at(stepOf(key), entries[i + 1]))
    }
    return keys.size === entries.length / 2 ? map : this.#pairs(value, 'dict', map, entries)
  }

  set(value: PythonSet): object {
    if (value.frozen) this.note('frozenset', value, 'a Set')
    const set = this.same(value, new Set<unknown>())
    for (const item of value.items) set.add(this.#key(item))
    return set.size === value.items.length ? set : this.#pairs(value, 'set', set, value.items)
  }

  /** What makes different keys of Python the same must not lose one of them. */
  #pairs(
    value: object,
    name: string,
    collection: Map<unknown, unknown> | Set<unknown>,
    given: readonly unknown[],
  ): object {
    this.note('same-keys', value, 'a list of its keys and values')
    collection.clear()
    const list = given.map((item, i) => this.at(i, item))
    return this.replace(value, { $python: `builtins.${name}`, args: [list] }) as object
  }

  /** Maps a key of a dict or a member of a set. */
  #key(key: unknown): unknown {
    const mapped = this.at('<key>', key)
    if (typeof mapped === 'object' && mapped !== null && !(mapped instanceof Reference)) {
      this.noteAs('key', describe(key), 'a key that is found only by going through all of them')
    }
    return mapped
  }

  #byteString(value: PythonByteString): unknown {
    const bytes = Buffer.from(value.bytes)
    const text = bytes.toString('utf8')
    if (Buffer.from(text).equals(bytes)) {
      this.note('python-2-text', value, 'text, as it is valid UTF-8')
      this.#count(text.length)
      return text
    }
    this.note('python-2-bytes', value, 'a Uint8Array')
    return this.same(value, Uint8Array.from(bytes))
  }

  /** Notes that the value under way was not mapped one to one. */
  note(kind: ChangeKind, value: unknown, stored: string): void {
    if (this.#context.changes.count(kind)) this.#keep(kind, describe(value), stored)
  }

  noteAs(kind: ChangeKind, found: string, stored: string): void {
    if (this.#context.changes.count(kind)) this.#keep(kind, found, stored)
  }

  #keep(kind: ChangeKind, found: string, stored: string): void {
    this.#context.changes.keep(kind, { ...this.#subject, path: formatPath('', this.#steps), found, stored })
  }

  /** @returns the error that a function of the user's has thrown for what Python calls `name` */
  converterFailed(name: string, cause: unknown): PerdureError {
    const { oid, className } = this.#subject
    const message = cause instanceof Error ? cause.message : String(cause)
    const path = formatPath('', this.#steps)
    return new PerdureError(
      'PERDURE_ARGUMENT',
      `The converter of ${name} has failed in ${className} ${oid}${path && `, at ${path}`}: ${message}`,
      { details: { oid, className, path }, cause },
    )
  }

  /** @returns the error that the object cannot be stored */
  refuse(why: string): PerdureError {
    const { oid, className } = this.#subject
    const path = formatPath('', this.#steps)
    return new PerdureError(
      'PERDURE_UNSTORABLE',
      `Cannot import ${className} ${oid}: at ${path || 'its state'}, ${why}.`,
      {
        details: { oid, className, path },
      },
    )
  }
}

function stepOf(key: unknown): Step {
  return typeof key === 'string' || typeof key === 'number' ? key : `<${typeof key} key>`
}

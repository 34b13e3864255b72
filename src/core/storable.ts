import { types } from 'node:util'
import { containerOf, isContainer, isPlainObject } from './container.js'
import { referenceTo } from './dereference.js'
import { PerdureError } from './errors.js'
import { fromStored } from './from-stored.js'
import { type Header, headerOf } from './header.js'
import { Reference } from './reference.js'
import { MAX_DEPTH, MAX_PROPERTIES, type State } from './serializer.js'
import { toStored } from './to-stored.js'

/** One step from a state down to a value: a property name, an array index, or the key of a Map. */
export type Step = string | number

/** Longer arrays are looked through by their keys. */
const LONG_ARRAY = 100_000

/** Told of every persistent object that a state refers to. */
export type OnReference = (reference: Reference) => void

/**
 * Walks states before they are encoded: reports their references and refuses what cannot be stored. One walker
 * serves all states of a commit.
 */
export class StateWalker {
  readonly #onReference: OnReference
  /** True if persistent objects or tracked containers were met where references and raw containers belong. */
  #foreign = false
  /** True if containers were met that are part of an object of another connection. */
  #shared = false
  #steps: Step[] = []
  #seen: Set<object> | undefined
  #header!: Header
  /** The object of another connection whose container the walk is in. */
  #elsewhere: Header | undefined

  constructor(onReference: OnReference) {
    this.#onReference = onReference
  }

  /** The steps to where the walk is, or to where it was when an error ended it. */
  get steps(): readonly Step[] {
    return this.#steps
  }

  /**
   * Returns the object's state, or a copy of it if it holds objects where only references may stand, which happens
   * when a container made by the user was put into it whole. If it holds containers of another connection, the
   * object gets copies of them.
   *
   * @throws PerdureError `PERDURE_UNSTORABLE` with `details.what`
   */
  walk(header: Header): State {
    this.#header = header
    this.#foreign = false
    this.#shared = false
    this.#elsewhere = undefined
    this.#steps = []
    this.#seen = undefined
    const state = header.info.toState(header.state as object)
    this.#properties(state)
    if (!this.#foreign && !this.#shared) return state
    const copy = stored(state, new Map()) as State
    if (this.#shared) header.state = header.info.fromState(copy)
    return copy
  }

  #properties(object: object): void {
    let count = 0
    for (const key in object) {
      if (++count > MAX_PROPERTIES) throw this.#refuse(`an object with more than ${MAX_PROPERTIES} properties`)
      const value: unknown = (object as State)[key]
      if (typeof value === 'object' ? value !== null : typeof value === 'function' || typeof value === 'symbol') {
        this.#step(key, value)
      }
    }
  }

  #step(step: Step, value: unknown): void {
    this.#steps.push(step)
    this.#value(value)
    this.#steps.pop()
  }

  #value(value: unknown): void {
    if (typeof value === 'function' || typeof value === 'symbol') throw this.#refuse(`a ${typeof value}`)
    if (typeof value !== 'object' || value === null) return
    if (value instanceof Reference) {
      if (this.#elsewhere !== undefined) fromStored(this.#elsewhere, value)
      this.#onReference(value)
      return
    }
    const header = headerOf(value)
    if (header !== undefined) {
      this.#foreign = true
      this.#onReference(referenceTo(header))
      return
    }
    const raw = toStored(value) as object
    if (raw !== value) this.#foreign = true
    if (!isContainer(raw)) {
      if (!isStorableLeaf(raw)) throw this.#refuse(instance(raw))
      return
    }
    this.#container(raw)
  }

  #container(raw: object): void {
    // A first level of containers is common and cannot be part of a cycle unless there is a second one.
    if (this.#steps.length > 1) {
      this.#seen ??= new Set()
      if (this.#seen.has(raw)) return
      this.#seen.add(raw)
    }
    const elsewhere = this.#elsewhere
    this.#elsewhere = containerOf(raw)?.claim(this.#header) ?? elsewhere
    if (this.#elsewhere !== undefined) this.#shared = true
    if (this.#steps.length >= MAX_DEPTH) throw this.#refuse(`nested more than ${MAX_DEPTH} levels deep`)
    if (!isPlainObject(raw) && !BUILT_IN.has(Object.getPrototypeOf(raw))) throw this.#refuse(instance(raw))
    if (Array.isArray(raw)) this.#array(raw)
    else if (raw instanceof Map) this.#map(raw)
    else if (raw instanceof Set) this.#set(raw)
    else this.#plain(raw)
    this.#elsewhere = elsewhere
  }

  #plain(raw: object): void {
    for (const key of Reflect.ownKeys(raw)) {
      if (typeof key === 'symbol') throw this.#refuse(`an object with a symbol (${String(key)}) as a key`)
      const descriptor = Reflect.getOwnPropertyDescriptor(raw, key)
      if (descriptor?.get !== undefined || descriptor?.set !== undefined) {
        throw this.#refuse(`an object with a getter or setter (${key})`)
      }
    }
    this.#properties(raw)
  }

  #array(raw: readonly unknown[]): void {
    if (raw.length > LONG_ARRAY) {
      // It may be almost empty: its length says nothing of how much there is to look at.
      for (const index of Object.keys(raw)) this.#step(Number(index), raw[Number(index)])
      return
    }
    for (let index = 0; index < raw.length; index++) {
      const value = raw[index]
      if (typeof value === 'object' ? value !== null : typeof value === 'function' || typeof value === 'symbol') {
        this.#step(index, value)
      }
    }
  }

  #map(raw: ReadonlyMap<unknown, unknown>): void {
    for (const [key, value] of raw) {
      const step = typeof key === 'string' || typeof key === 'number' ? key : `<${typeof key} key>`
      this.#step(step, key)
      this.#step(step, value)
    }
  }

  #set(raw: ReadonlySet<unknown>): void {
    let index = 0
    for (const member of raw) this.#step(`<member ${index++}>`, member)
  }

  #refuse(what: string): PerdureError {
    return new PerdureError('PERDURE_UNSTORABLE', `Cannot store ${what}.`, {
      details: { what },
    })
  }
}

/** Instances of subclasses would lose their class. */
const BUILT_IN: ReadonlySet<object> = new Set([Array.prototype, Map.prototype, Set.prototype])

function instance(value: object): string {
  return `an instance of ${value.constructor?.name ?? 'a class'}, which does not extend Persistent`
}

function isStorableLeaf(value: object): boolean {
  return types.isDate(value) || types.isTypedArray(value) || types.isRegExp(value) || types.isArrayBuffer(value)
}

/** A copy with references and raw containers in place of objects and tracked ones. Keeps sharing and cycles. */
function stored(given: unknown, copies: Map<object, object>): unknown {
  const value = toStored(given)
  if (typeof value !== 'object' || value === null || value instanceof Reference || !isContainer(value)) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  if (Array.isArray(value)) {
    const copy: unknown[] = new Array(value.length)
    copies.set(value, copy)
    for (const key of Object.keys(value))
      copy[key as unknown as number] = stored(value[key as unknown as number], copies)
    return copy
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>()
    copies.set(value, copy)
    for (const [key, item] of value) copy.set(stored(key, copies), stored(item, copies))
    return copy
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>()
    copies.set(value, copy)
    for (const item of value) copy.add(stored(item, copies))
    return copy
  }
  return copyPlain(value, copies)
}

function copyPlain(value: object, copies: Map<object, object>): object {
  const copy: State = {}
  copies.set(value, copy)
  for (const key of Object.keys(value)) {
    const item = stored((value as State)[key], copies)
    Object.defineProperty(copy, key, { value: item, writable: true, enumerable: true, configurable: true })
  }
  return copy
}

/** Own properties of an instance without a Proxy that would be lost: its fields are elsewhere. */
export function strayProperty(header: Header): string | undefined {
  if (header.info.behindProxy) return undefined
  return Object.keys(header.object).find((key) => !key.startsWith('_v_'))
}

/** Whether `value` is plain data or an array: what a path can step into by property. */
export function isPlain(value: unknown): value is State {
  return typeof value === 'object' && value !== null && (Array.isArray(value) || isPlainObject(value))
}

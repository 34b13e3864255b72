import { type InspectOptions, inspect } from 'node:util'
import { type ClassInfo, classInfo, isVolatile, type PersistentClass, STAND_IN } from './class-info.js'
import { PerdureError } from './errors.js'
import { fromStored } from './from-stored.js'
import { HEADER, Header, headerOf } from './header.js'
import { inspectAs } from './inspection.js'
import type { Oid } from './oid.js'
import { toStored } from './to-stored.js'

/**
 * The header of an instance that is not behind a Proxy. Faster than {@link headerOf}, which has to ask whether the
 * object is persistent at all.
 */
export let bareHeader: (object: Persistent) => Header

/** The state of an instance with `@field` accessors, if it is live: see {@link Header}. */
export let liveSlots: (object: Persistent) => unknown[] | undefined

let setLiveSlots: (object: Persistent, slots: unknown[] | undefined) => void

/**
 * The base of every class whose instances are stored.
 *
 * ```ts
 * class Account extends Persistent {
 *   owner = ''
 *   balance = 0
 * }
 * ```
 *
 * An instance's own enumerable string-keyed fields are its state, except those whose names begin with `_v_`. Any change of a
 * field, or of an array, object, Map or Set inside one, is noticed. Loading does not run the constructor or the field
 * initialisers. Private `#fields` are not stored and do not exist on loaded objects.
 */
export class Persistent {
  // Only on instances that are not behind a Proxy.
  #header: Header | undefined
  // Only on those with @field accessors: the same as the header's `live`, one step nearer.
  #slots: unknown[] | undefined

  constructor() {
    // An instance that is being loaded gets its header as a hidden argument; see `instantiate`.
    // biome-ignore lint/complexity/noArguments: the argument must not show in the signature that users see
    const given: unknown = arguments[0]
    const header = given instanceof Header ? given : newHeader(new.target)
    if (header.info.behindProxy) {
      // biome-ignore lint/correctness/noConstructorReturn: the Proxy is what the fields of subclasses must be defined on
      return header.object as this
    }
    this.#header = header
    header.object = this
    if (header.state !== undefined) header.awaken()
  }

  /** Internal: see {@link bareHeader}. */
  static {
    bareHeader = (object) => object.#header as Header
    liveSlots = (object) => object.#slots
    setLiveSlots = (object, slots) => {
      object.#slots = slots
    }
  }

  /** Internal: see {@link HEADER}. */
  get [HEADER](): Header | undefined {
    return #header in this ? this.#header : undefined
  }

  /** Shows the object in console.log as a plain instance of its class. */
  [inspect.custom](depth: number | null, options: InspectOptions, show: typeof inspect): string {
    const header = headerOf(this)
    if (header === undefined) return `${this.constructor.name} {}`
    const content = () => (header.info.kind === 'bare' ? this.toJSON?.() : visibleFields(header))
    return inspectAs(this, header.info.name, content, { depth, options, show })
  }

  /** Classes that show more than their fields, or other things, define it. */
  toJSON?(): unknown
}

function visibleFields(header: Header): object {
  const state = header.info.toState(header.read())
  return Object.fromEntries(Object.keys(state).map((key) => [key, fromStored(header, state[key])]))
}

function newHeader(type: PersistentClass): Header {
  const info = classInfo(type)
  const header = headerFor(info)
  header.state = info.emptyState()
  if (header.info.behindProxy) header.awaken()
  return header
}

/** A bare class that makes what users hold in place of an instance. */
interface StandInClass {
  [STAND_IN](header: Header): object
}

function headerFor(info: ClassInfo): Header {
  if (info.kind === 'transparent') return new TransparentHeader(info)
  const header = info.kind === 'fields' ? new FieldsHeader(info) : new Header(info)
  if (info.behindProxy) header.object = (info.type as unknown as StandInClass)[STAND_IN](header)
  return header
}

/** Makes a ghost: an instance without state, whose class's constructor has not run. */
export function instantiate(info: ClassInfo): Header {
  const header = headerFor(info)
  header.changed = false
  if (!header.info.behindProxy) {
    Object.preventExtensions(Reflect.construct(Persistent, [header], info.type))
  }
  return header
}

/**
 * Says that the object was changed in a way that could not be noticed: in the bytes of a Uint8Array or the time of
 * a Date inside it. Other changes are noticed without a call. Best called before the change: from then on the object
 * stays in memory until the commit, while an unchanged one may leave it and take a Date edited in vain with it.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if the object is not persistent
 */
export function noteChange(object: object): void {
  const header = headerOf(object)
  if (header === undefined) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      'noteChange takes a persistent object: the one that holds the changed value.',
    )
  }
  header.write()
}

/** True for instances of persistent classes. Never loads a ghost. */
export function isPersistent(value: unknown): value is Persistent {
  return typeof value === 'object' && value !== null && headerOf(value) !== undefined
}

/** The oid of a stored object, or undefined if it has not been committed yet. */
export function oidOf(object: object): Oid | undefined {
  const header = headerOf(object)
  return header === undefined || header.oid < 0 ? undefined : header.oid
}

/** The header of an object with `@field` accessors. */
class FieldsHeader extends Header {
  override awaken(): void {
    super.awaken()
    setLiveSlots(this.object as Persistent, this.state as unknown[])
  }

  override rest(): void {
    super.rest()
    setLiveSlots(this.object as Persistent, undefined)
  }
}

/** The header of an object behind a Proxy, and the Proxy's handler. */
class TransparentHeader extends Header implements ProxyHandler<object> {
  constructor(info: ClassInfo) {
    super(info)
    this.object = new Proxy(info.target, this)
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    if (key === HEADER) return this
    const state = this.read() as Named
    const value = state[key]
    // Primitives are always the state's own: nothing puts any on Object.prototype.
    if (value !== undefined && typeof value !== 'function') {
      if (typeof value !== 'object') return value
      if (Object.hasOwn(state, key)) return isVolatile(key) ? value : fromStored(this, value)
    } else if (Object.hasOwn(state, key)) {
      return value
    }
    return Reflect.get(target, key, receiver)
  }

  set(target: object, key: string | symbol, value: unknown, receiver: unknown): boolean {
    // Setters of the class, new fields, and objects that merely inherit from this one take the ordinary way.
    const state = this.read() as Named
    if (receiver !== this.object || !Object.hasOwn(state, key)) return Reflect.set(target, key, value, receiver)
    const before = state[key]
    if (typeof value === 'object' || !Object.is(before, value)) this.#assign(key, value)
    return true
  }

  defineProperty(_target: object, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    const isField = 'value' in descriptor && descriptor.enumerable && descriptor.configurable && descriptor.writable
    if (isField) this.#assign(key, descriptor.value)
    else this.#redefine(key, descriptor)
    return true
  }

  deleteProperty(_target: object, key: string | symbol): boolean {
    if (!Object.hasOwn(this.read(), key)) return true
    return Reflect.deleteProperty(isVolatile(key) ? this.read() : this.write(), key)
  }

  has(target: object, key: string | symbol): boolean {
    return Object.hasOwn(this.read(), key) || Reflect.has(target, key)
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.read())
  }

  getOwnPropertyDescriptor(_target: object, key: string | symbol): PropertyDescriptor | undefined {
    const descriptor = Reflect.getOwnPropertyDescriptor(this.read(), key)
    if (descriptor !== undefined && !isVolatile(key)) descriptor.value = fromStored(this, descriptor.value)
    return descriptor
  }

  setPrototypeOf(target: object, prototype: object | null): boolean {
    return prototype === Reflect.getPrototypeOf(target)
  }

  preventExtensions(): boolean {
    return false
  }

  #assign(key: string | symbol, value: unknown): void {
    if (isVolatile(key)) define(this.read(), key, value)
    else define(this.write(), key, toStored(value))
  }

  /** Object.defineProperty as users call it: what it does not mention stays as it was. */
  #redefine(key: string | symbol, descriptor: PropertyDescriptor): void {
    const known = Reflect.getOwnPropertyDescriptor(this.read(), key)
    const { get, set, enumerable, configurable, writable } = { ...known, ...descriptor }
    if (get !== undefined || set !== undefined || !(enumerable && configurable && writable)) {
      throw new PerdureError(
        'PERDURE_ARGUMENT',
        `Cannot define ${String(key)} on a ${this.info.name}: properties of a persistent object are plain ones (enumerable, configurable, writable).`,
        { details: { className: this.info.name, oid: this.oid } },
      )
    }
    this.#assign(key, 'value' in descriptor ? descriptor.value : known?.value)
  }
}

type Named = Record<string | symbol, unknown>

function define(state: object, key: string | symbol, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(state, key, { value, writable: true, enumerable: true, configurable: true })
  else (state as Named)[key] = value
}

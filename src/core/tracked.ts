import { PerdureError } from './errors.js'
import { HEADER, type Header, headerOf, type ObjectOwner } from './header.js'
import { Reference } from './reference.js'

/*
 * Plain arrays, objects, Maps and Sets inside a state are handed to the user behind a Proxy, so that changing them
 * marks the persistent object that they belong to as changed. The state itself holds the raw containers, and
 * References in place of persistent objects; `toStored` and `fromStored` convert at the border.
 *
 * Invariants. A raw container has one Proxy, so identity is kept. A Proxy holds the state it belongs to, strongly:
 * while anybody holds a container, an evicted object gets back the very state that the container is part of
 * (Header.evicted), so a write through it cannot be lost. If the owner's state has been replaced all the same (by
 * abort, or because another connection changed the object), using the container throws PERDURE_STALE.
 */

const proxies = new WeakMap<object, object>()
const containers = new WeakMap<object, Container>()

/** What to put in a state for a value given by the user: references for persistent objects, raw containers for tracked ones. */
export function toStored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const container = containers.get(value)
  if (container !== undefined) {
    // Storing what a container holds is reading it.
    container.read()
    return container.raw
  }
  const header = headerOf(value)
  return header === undefined ? value : referenceTo(header)
}

/** The raw container behind a tracked one, without reading it; any other object itself. */
export function rawOf(value: object): object {
  return containers.get(value)?.raw ?? value
}

/** What to show the user for a value in the state of `header`'s object. */
export function fromStored(header: Header, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Reference) return value.object ?? follow(header, value)
  if (isContainer(value)) return track(header, value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) lend(header, value)
  return value
}

/** The state that bytes were given out from. The bytes keep it in memory. */
const lenders = new WeakMap<object, object>()

/**
 * Bytes may be edited in place, and noteChange called only then. If the object is evicted in between, it must get
 * back the state that the bytes are part of, as with containers.
 */
function lend(header: Header, bytes: object): void {
  header.lent = true
  if (lenders.get(bytes) !== header.state) lenders.set(bytes, header.read())
}

/** The reference that stands for an object in states. */
export function referenceTo(header: Header): Reference {
  header.reference ??= new Reference(header.oid, header.info.name, header.object)
  return header.reference
}

/** Who can follow the references in states of objects that have no owner yet, but have taken over parts of others. */
const origins = new WeakMap<Header, ObjectOwner>()

/** Makes the containers in `value` that were handed out by `from` belong to `to`, into whose state it has been moved. */
export function handOver(from: Header, to: Header, value: unknown): void {
  const origin = from.owner ?? origins.get(from)
  if (to.owner === undefined && origin !== undefined) origins.set(to, origin)
  if (from.lent) handOverWithin(from, to, value, new Set())
}

function handOverWithin(from: Header, to: Header, value: unknown, seen: Set<object>): void {
  const raw = toStored(value)
  if (typeof raw !== 'object' || raw === null || seen.has(raw) || !isContainer(raw)) return
  seen.add(raw)
  const proxy = proxies.get(raw)
  if (proxy !== undefined) containers.get(proxy)?.move(from, to)
  if (raw instanceof Map) for (const key of raw.keys()) handOverWithin(from, to, key, seen)
  const items: Iterable<unknown> = raw instanceof Map || raw instanceof Set ? raw.values() : Object.values(raw)
  for (const item of items) handOverWithin(from, to, item, seen)
}

/** True for the containers that are tracked: arrays, Maps, Sets, and objects without a class. */
export function isContainer(value: object): boolean {
  return Array.isArray(value) || isPlainObject(value) || value instanceof Map || value instanceof Set
}

/** True for objects made by a literal, or without a prototype. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * Makes every reference among the keys of a stored Map or Set the one that {@link toStored} would give, so that
 * look-ups by object find it. A decoded state may hold other instances that mean the same object.
 */
export function canonicalizeKeys(header: Header, keyed: Map<unknown, unknown> | Set<unknown>): void {
  let foreign = false
  for (const key of keyed.keys()) if (key instanceof Reference && !isCanonical(key)) foreign = true
  if (!foreign) return
  const canonical = (key: unknown) => toStored(fromStored(header, key))
  if (keyed instanceof Map) {
    const entries = [...keyed]
    keyed.clear()
    for (const [key, value] of entries) keyed.set(canonical(key), value)
  } else {
    const members = [...keyed]
    keyed.clear()
    for (const member of members) keyed.add(canonical(member))
  }
}

/** A reference that was followed as a value may stand among the keys too, and still not be the object's own. */
function isCanonical(reference: Reference): boolean {
  return reference.object !== undefined && headerOf(reference.object)?.reference === reference
}

function follow(header: Header, reference: Reference): object {
  const owner = header.owner ?? origins.get(header)
  if (owner === undefined) {
    throw new PerdureError(
      'PERDURE_STALE',
      `A reference to ${reference.className} ${reference.oid} cannot be followed: the object that holds it no longer belongs to a connection.`,
      { details: { oid: reference.oid, className: reference.className } },
    )
  }
  return owner.follow(reference)
}

/**
 * Notes that a raw container is part of the state of `header`'s object, which is about to be stored. Returns the
 * object of another connection that it is part of as well, if there is one.
 */
export function claim(header: Header, raw: object): Header | undefined {
  const proxy = proxies.get(raw)
  return proxy === undefined ? undefined : (containers.get(proxy) as Container).claim(header)
}

function track(header: Header, raw: object): object {
  header.lent = true
  const known = proxies.get(raw)
  if (known !== undefined) {
    ;(containers.get(known) as Container).adopt(header)
    return known
  }
  const container = newContainer(header, raw)
  const proxy = new Proxy(container.target, container)
  proxies.set(raw, proxy)
  containers.set(proxy, container)
  return proxy
}

function newContainer(header: Header, raw: object): PlainContainer | KeyedContainer {
  if (raw instanceof Map) {
    canonicalizeKeys(header, raw)
    return new KeyedContainer(header, raw, mapMethods)
  }
  if (raw instanceof Set) {
    canonicalizeKeys(header, raw)
    return new KeyedContainer(header, raw, setMethods)
  }
  return new PlainContainer(header, raw)
}

/** A persistent object, and the state of it that a container is part of. */
interface Part {
  readonly header: Header
  readonly state: object
}

/** The handler behind a tracked container. */
abstract class Container {
  readonly raw: object
  /** What the Proxy stands on: the raw container, unless that is frozen. */
  readonly target: object
  /** Whose container it is. More than one only if the same container was put into several objects. */
  #parts: Part[]

  constructor(header: Header, raw: object, target: object) {
    this.raw = raw
    this.target = target
    // Not `header.state`: following a reference a moment ago may have evicted it.
    this.#parts = [{ header, state: header.read() }]
  }

  adopt(header: Header): void {
    const [first] = this.#parts
    const state = header.read()
    if (first?.header === header && first.state === state) return
    this.#parts = this.#parts.filter((part) => part.header !== header && part.header.holds(part.state))
    this.#parts.push({ header, state })
  }

  /** Belongs to `to` instead of `from`. */
  move(from: Header, to: Header): void {
    this.#parts = this.#parts.filter((part) => part.header !== from)
    this.#parts.push({ header: to, state: to.read() })
    to.lent = true
  }

  /** See {@link claim}. */
  claim(header: Header): Header | undefined {
    const elsewhere = this.#parts.find((part) => part.header.owner !== undefined && part.header.owner !== header.owner)
    if (elsewhere === undefined) this.adopt(header)
    return elsewhere?.header
  }

  /** Notes the read and returns the object the container belongs to. */
  read(): Header {
    for (const { header, state } of this.#parts) if (header.read() === state) return header
    throw this.#stale()
  }

  /** Marks every object the container belongs to as changed. */
  write(): void {
    const current = this.#parts.filter(({ header, state }) => header.read() === state)
    if (current.length === 0) throw this.#stale()
    for (const { header } of current) header.write()
  }

  #stale(): PerdureError {
    const { oid, info } = (this.#parts[0] as Part).header
    return new PerdureError(
      'PERDURE_STALE',
      `This container was part of an earlier state of ${info.name} ${oid}, which has been replaced since (by abort, or by another connection's commit). Read it again from the object.`,
      { details: { oid, className: info.name } },
    )
  }
}

/** Arrays and plain objects: every property access goes through. */
class PlainContainer extends Container implements ProxyHandler<object> {
  readonly #frozen: boolean

  constructor(header: Header, raw: object) {
    // A Proxy must report the properties of a frozen target as they are, so it could not show tracked values.
    const frozen = !Object.isExtensible(raw)
    super(header, raw, frozen ? thawed(raw) : raw)
    this.#frozen = frozen
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    if (key === HEADER) return undefined
    const header = this.read()
    const value: unknown = Reflect.get(target, key, receiver)
    return typeof value === 'object' ? fromStored(header, value) : value
  }

  has(target: object, key: string | symbol): boolean {
    this.read()
    return Reflect.has(target, key)
  }

  ownKeys(target: object): (string | symbol)[] {
    this.read()
    return Reflect.ownKeys(target)
  }

  getOwnPropertyDescriptor(target: object, key: string | symbol): PropertyDescriptor | undefined {
    const header = this.read()
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key)
    if (descriptor !== undefined && 'value' in descriptor) descriptor.value = fromStored(header, descriptor.value)
    return descriptor
  }

  set(target: object, key: string | symbol, value: unknown): boolean {
    if (this.#frozen) return false
    this.write()
    return Reflect.set(target, key, toStored(value))
  }

  defineProperty(target: object, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    if (this.#frozen) return false
    this.write()
    return Reflect.defineProperty(
      target,
      key,
      'value' in descriptor ? { ...descriptor, value: toStored(descriptor.value) } : descriptor,
    )
  }

  deleteProperty(target: object, key: string | symbol): boolean {
    if (this.#frozen) return false
    this.write()
    return Reflect.deleteProperty(target, key)
  }

  preventExtensions(): boolean {
    return false
  }
}

function thawed(raw: object): object {
  return Array.isArray(raw) ? raw.slice() : Object.defineProperties({}, Object.getOwnPropertyDescriptors({ ...raw }))
}

type Methods = ReadonlyMap<string | symbol, (...args: never[]) => unknown>

/** Maps and Sets: their methods need the real object, so the Proxy gives out methods that find it. */
class KeyedContainer extends Container implements ProxyHandler<object> {
  readonly #methods: Methods

  constructor(header: Header, raw: Map<unknown, unknown> | Set<unknown>, methods: Methods) {
    super(header, raw, raw)
    this.#methods = methods
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    if (key === HEADER) return undefined
    const method = this.#methods.get(key)
    if (method !== undefined) return method
    if (key === 'size') {
      this.read()
      return Reflect.get(target, key, target)
    }
    const value: unknown = Reflect.get(target, key, target)
    // Methods that came after this was written (Set.prototype.union...) work on a copy that shows what the user sees.
    return typeof value === 'function' && key !== 'constructor' ? viaCopy(key, receiver) : value
  }
}

function viaCopy(key: string | symbol, receiver: unknown): (...args: unknown[]) => unknown {
  const copy = receiver instanceof Map ? new Map(receiver) : new Set(receiver as Set<unknown>)
  return (...args) => ((copy as never)[key] as (...args: unknown[]) => unknown).apply(copy, args)
}

function containerOf(proxy: object): Container {
  const container = containers.get(proxy)
  if (container === undefined) throw new TypeError('Method called on an incompatible receiver')
  return container
}

/** The raw Map or Set behind `proxy`, and a function that shows its values. */
function reading<T>(proxy: object): { raw: T; show: (value: unknown) => unknown } {
  const container = containerOf(proxy)
  const header = container.read()
  return { raw: container.raw as T, show: (value) => fromStored(header, value) }
}

function writing<T>(proxy: object): T {
  const container = containerOf(proxy)
  container.write()
  return container.raw as T
}

type RawMap = Map<unknown, unknown>
type RawSet = Set<unknown>

// Each step reads anew: the state may have been evicted meanwhile, or replaced, which must not go unnoticed.

function* mapEntries(this: object): IterableIterator<[unknown, unknown]> {
  for (const [key, value] of reading<RawMap>(this).raw) {
    const { show } = reading<RawMap>(this)
    yield [show(key), show(value)]
  }
}

function* keys(this: object): IterableIterator<unknown> {
  for (const key of reading<RawMap | RawSet>(this).raw.keys()) yield reading(this).show(key)
}

function* mapValues(this: object): IterableIterator<unknown> {
  for (const value of reading<RawMap>(this).raw.values()) yield reading(this).show(value)
}

function* setEntries(this: object): IterableIterator<[unknown, unknown]> {
  for (const value of keys.call(this)) yield [value, value]
}

/** What stands for `key` in a Map or Set: the object itself, and no reference, only if the user had put it in before. */
function keyIn(raw: RawMap | RawSet, key: unknown): unknown {
  const storedKey = toStored(key)
  return storedKey !== key && raw.has(key) ? key : storedKey
}

function has(this: object, key: unknown): boolean {
  const { raw } = reading<RawMap | RawSet>(this)
  return raw.has(keyIn(raw, key))
}

function remove(this: object, key: unknown): boolean {
  if (!has.call(this, key)) return false
  const raw = writing<RawMap | RawSet>(this)
  return raw.delete(keyIn(raw, key))
}

function clear(this: object): void {
  if (reading<RawMap | RawSet>(this).raw.size > 0) writing<RawMap | RawSet>(this).clear()
}

function mapGet(this: object, key: unknown): unknown {
  const { raw, show } = reading<RawMap>(this)
  return show(raw.get(keyIn(raw, key)))
}

function mapSet(this: object, key: unknown, value: unknown): object {
  const raw = writing<RawMap>(this)
  raw.set(keyIn(raw, key), toStored(value))
  return this
}

function getOrInsertComputed(this: object, key: unknown, compute: (key: unknown) => unknown): unknown {
  if (!has.call(this, key)) mapSet.call(this, key, compute(key))
  return mapGet.call(this, key)
}

const mapMethods: Methods = new Map<string | symbol, (...args: never[]) => unknown>([
  ['has', has],
  ['delete', remove],
  ['clear', clear],
  ['keys', keys],
  ['values', mapValues],
  ['entries', mapEntries],
  [Symbol.iterator, mapEntries],
  ['get', mapGet],
  ['set', mapSet],
  [
    'getOrInsert',
    function (this: object, key: unknown, value: unknown): unknown {
      return getOrInsertComputed.call(this, key, () => value)
    },
  ],
  ['getOrInsertComputed', getOrInsertComputed],
  [
    'forEach',
    function (this: object, callback: (value: unknown, key: unknown, map: object) => void, thisArg?: unknown): void {
      for (const [key, value] of mapEntries.call(this)) callback.call(thisArg, value, key, this)
    },
  ],
])

const setMethods: Methods = new Map<string | symbol, (...args: never[]) => unknown>([
  ['has', has],
  ['delete', remove],
  ['clear', clear],
  ['keys', keys],
  ['values', keys],
  ['entries', setEntries],
  [Symbol.iterator, keys],
  [
    'add',
    function (this: object, value: unknown): object {
      const raw = writing<RawSet>(this)
      raw.add(keyIn(raw, value))
      return this
    },
  ],
  [
    'forEach',
    function (this: object, callback: (value: unknown, key: unknown, set: object) => void, thisArg?: unknown): void {
      for (const value of keys.call(this)) callback.call(thisArg, value, value, this)
    },
  ],
])

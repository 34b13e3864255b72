import { PerdureError } from '../core/errors.js'
import { fromStored } from '../core/from-stored.js'
import { HEADER, type Header } from '../core/header.js'
import { toStored } from '../core/to-stored.js'

/** The state of a PersistentList. Holes are kept as holes. */
export interface ListState {
  items: unknown[]
}

/** What a list's Proxy stands on, for each class of lists: an array, so that Array.isArray is true. It stays empty. */
const targets = new WeakMap<object, unknown[]>()

/** What users hold of a list: a Proxy that looks like an array whose elements are those in the state. */
export function listProxy(header: Header): object {
  const { type } = header.info
  let target = targets.get(type)
  if (target === undefined) {
    target = Object.setPrototypeOf([], type.prototype) as unknown[]
    targets.set(type, target)
  }
  return new Proxy(target, new ListHandler(header))
}

class ListHandler implements ProxyHandler<unknown[]> {
  readonly #header: Header

  constructor(header: Header) {
    this.#header = header
  }

  get(target: unknown[], key: string | symbol, receiver: unknown): unknown {
    if (key === HEADER) return this.#header
    if (key === 'length') return this.#items().length
    if (isIndex(key)) {
      const value = this.#items()[key]
      return typeof value === 'object' ? fromStored(this.#header, value) : value
    }
    return Reflect.get(target, key, receiver)
  }

  set(target: unknown[], key: string | symbol, value: unknown, receiver: unknown): boolean {
    if (receiver === this.#header.object) {
      if (isIndex(key)) return this.#assign(key, value)
      if (key === 'length') return this.#resize(value)
    }
    // Setters of a subclass; anything else ends in defineProperty, which refuses it.
    return Reflect.set(target, key, value, receiver)
  }

  has(target: unknown[], key: string | symbol): boolean {
    return isIndex(key) ? Object.hasOwn(this.#items(), key) : Reflect.has(target, key)
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.#items())
  }

  getOwnPropertyDescriptor(_target: unknown[], key: string | symbol): PropertyDescriptor | undefined {
    const descriptor = Reflect.getOwnPropertyDescriptor(this.#items(), key)
    if (descriptor !== undefined) descriptor.value = fromStored(this.#header, descriptor.value)
    return descriptor
  }

  defineProperty(_target: unknown[], key: string | symbol, descriptor: PropertyDescriptor): boolean {
    const known = Reflect.getOwnPropertyDescriptor(this.#items(), key)
    const { get, set, enumerable, configurable, writable } = { ...known, ...descriptor }
    const plain = get === undefined && set === undefined && writable === true
    const value: unknown = 'value' in descriptor ? descriptor.value : known?.value
    if (plain && key === 'length' && !enumerable && !configurable) return this.#resize(value)
    if (plain && isIndex(key) && enumerable && configurable) return this.#assign(key, value)
    const { info, oid } = this.#header
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `Cannot define ${String(key)} on a ${info.name}: a persistent list has no other properties than its elements, and these are plain ones. Hold the list in a field of a class that extends Persistent.`,
      { details: { className: info.name, oid } },
    )
  }

  deleteProperty(_target: unknown[], key: string | symbol): boolean {
    if (key === 'length') return false
    if (Object.hasOwn(this.#items(), key)) delete this.#writable()[key as `${number}`]
    return true
  }

  setPrototypeOf(target: unknown[], prototype: object | null): boolean {
    return prototype === Reflect.getPrototypeOf(target)
  }

  preventExtensions(): boolean {
    return false
  }

  #items(): unknown[] {
    return (this.#header.read() as ListState).items
  }

  #writable(): unknown[] {
    return (this.#header.write() as ListState).items
  }

  #assign(key: `${number}`, value: unknown): true {
    const items = this.#items()
    const stored = toStored(value)
    const primitive = typeof stored !== 'object' || stored === null
    if (primitive && Object.is(items[key], stored) && Object.hasOwn(items, key)) return true
    this.#writable()[key] = stored
    return true
  }

  #resize(length: unknown): true {
    const size = Number(length)
    if (size >>> 0 !== size) throw new RangeError('Invalid array length')
    if (size !== this.#items().length) this.#writable().length = size
    return true
  }
}

/** True for what names an element: '0', '1' and so on up to 2^32 - 2, written in no other way. */
function isIndex(key: string | symbol): key is `${number}` {
  if (typeof key === 'symbol') return false
  const first = key.charCodeAt(0)
  if (!(first >= 48 && first <= 57)) return false
  const index = Number(key) >>> 0
  return String(index) === key && index !== 2 ** 32 - 1
}

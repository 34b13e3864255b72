import { canonicalizeKeys } from './canonical-keys.js'
import { Container, containerBehind, type Show } from './container.js'
import { HEADER, type Header } from './header.js'
import { toStored } from './to-stored.js'

type RawMap = Map<unknown, unknown>
type RawSet = Set<unknown>
type Method = (...args: never[]) => unknown
type Methods = ReadonlyMap<string | symbol, Method>

/** Maps and Sets: their methods need the real object, so the Proxy gives out methods that find it. */
export class KeyedContainer extends Container implements ProxyHandler<object> {
  readonly #methods: Methods

  constructor(header: Header, raw: RawMap | RawSet, show: Show) {
    canonicalizeKeys(header, raw)
    super(header, raw, raw, show)
    this.#methods = raw instanceof Map ? mapMethods : setMethods
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

function keyedContainer(proxy: object): Container {
  const container = containerBehind(proxy)
  if (container === undefined) throw new TypeError('Method called on an incompatible receiver')
  return container
}

/** The raw Map or Set behind `proxy`, and a function that shows its values. */
function reading<T>(proxy: object): { raw: T; show: (value: unknown) => unknown } {
  const container = keyedContainer(proxy)
  const header = container.read()
  return { raw: container.raw as T, show: (value) => container.show(header, value) }
}

function writing<T>(proxy: object): T {
  const container = keyedContainer(proxy)
  container.write()
  return container.raw as T
}

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

const commonMethods: Methods = new Map<string | symbol, Method>([
  ['has', has],
  ['delete', remove],
  ['clear', clear],
  ['keys', keys],
])

const mapMethods: Methods = new Map<string | symbol, Method>([
  ...commonMethods,
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

const setMethods: Methods = new Map<string | symbol, Method>([
  ...commonMethods,
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

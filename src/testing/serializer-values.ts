import { Reference } from '../core/reference.js'
import { MAX_DEPTH, type State } from '../core/serializer.js'
import type { Random } from './random.js'

/** The references that the states made here refer to. */
export const REFERENCES: readonly Reference[] = Array.from({ length: 300 }, (_, i) => new Reference(i * 7, 'Account'))

const TYPED_ARRAYS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const

const NUMBERS = [
  ...[0, -0, 1, -1, 0.1, 23, 24, 31, 32, 63, 64, 127, 128, 255, 256, 65535, 65536, -31, -32, -33, -128, -129],
  ...[2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1],
  ...[2 ** 53, 2 ** 53 + 2, -(2 ** 53), 2 ** 64, 1e300, 5e-324, Number.MAX_VALUE, Math.PI],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
]

const BIGINTS = [0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n, 2n ** 64n - 1n, -(2n ** 63n)]
  .flatMap((n) => [n, -n, n - 1n])
  .concat(10n ** 99n, 10n ** 100n, -(10n ** 100n), 3n ** 9000n, -(3n ** 9000n))

const STRINGS = [
  ...['', 'a', 'seven77', 'eight888', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(255), 'x'.repeat(256)],
  ...['x'.repeat(65535), 'é'.repeat(40_000), 'x'.repeat(9000), '"\\</script>\u2028\0', '\ufffd', '~', '~__proto__'],
  ...['\ufeff', `\ufeff${'x'.repeat(100)}`, 'Žluťoučký kůň', '数据库', '😀'.repeat(50), 'éa'.repeat(30), 'é'],
  ...['\ud800', '\udc00', '\udc00\ud800', 'a\ud83d', `${'x'.repeat(100)}\udfff`, '__proto__'],
]

const KEYS = [
  ...['', '__proto__', 'constructor', 'toString', 'toJSON', 'hasOwnProperty', 'then', 'length', 'valueOf', 'a'],
  ...['~__proto__', '~~__proto__', '~', '__proto__x', '\ud800', '\udfffkey', '\ufeffkey', 'k'.repeat(40), 'ключ'],
  ...['0', '1', '10', '-1', '4294967294', '4294967295', '01', 'Reference', 'k'.repeat(300)],
]

/** Not a literal, for the compiler would not have its flag yet. */
const SET_PATTERN = '[\\p{L}--[a-z]]'

const DATES = [0, 1, -1, 1.7e12, 1.7e12 + 0.5, -62167219200000, 8.64e15, -8.64e15, Number.NaN]

/** One state for each thing that a serializer must store, by what it is. */
export function stateCases(): [name: string, state: State][] {
  return [
    ['an ordinary state', { owner: 'ada', balance: 10, tags: ['a', 'b', 'c'], note: 'x'.repeat(80), open: true }],
    ['an empty state', {}],
    ['null, undefined and booleans', { a: null, b: undefined, c: true, d: false, list: [null, undefined] }],
    ['numbers', { list: NUMBERS, ...Object.fromEntries(NUMBERS.map((n, i) => [`n${i}`, n])) }],
    ['bigints', { list: BIGINTS }],
    ['strings', { list: STRINGS }],
    ['strange keys', { inner: objectOf(KEYS, 1), ...objectOf(KEYS, 'x'), map: new Map(KEYS.map((k) => [k, k])) }],
    ['the order of keys', { z: 1, a: 2, 5: 3, 1: 4, m: { y: 1, b: 2, 7: 3 } }],
    [
      'many keys',
      objectOf(
        Array.from({ length: 70_000 }, (_, i) => `k${i}`),
        0,
      ),
    ],
    ['dates', { list: DATES.map((time) => new Date(time)) }],
    [
      'regular expressions',
      { list: [/a/, /[/"\\]+\n</giu, /(?<year>\d{4})-\p{L}/dsuy, new RegExp(SET_PATTERN, 'v'), /(?:)/] },
    ],
    ['arrays', { empty: [], nested: [[], [[1]], [[], []]], long: Array.from({ length: 70_000 }, (_, i) => i % 300) }],
    ['holes', holes()],
    ['Maps and Sets', mapsAndSets()],
    ['ArrayBuffers and typed arrays', binaries()],
    ['a view of a part of a buffer', parts()],
    ['references', references()],
    ['a value that occurs twice', twice()],
    ['cycles', cycles()],
    ['objects without a prototype', { a: Object.assign(Object.create(null), { b: 1 }) }],
    [`nesting of ${MAX_DEPTH}`, nested(MAX_DEPTH)],
    [`nesting of ${MAX_DEPTH} in a cycle`, deepCycle()],
  ]
}

function holes(): State {
  const long: unknown[] = [1]
  long[1_000_000] = 2
  const longest: unknown[] = []
  longest.length = 2 ** 32 - 1
  const [filled] = [[1, undefined, 3, 4]]
  delete filled[2]
  // biome-ignore lint/suspicious/noSparseArray: holes are what this is about
  return { first: [, 1], middle: [1, , undefined, , { a: 1 }], last: [1, ,], only: [, , ,], filled, long, longest }
}

function mapsAndSets(): State {
  const key = { id: 1 }
  const map = new Map<unknown, unknown>([
    [key, 'object'],
    [Number.NaN, 'NaN'],
    [undefined, null],
    ['1', 1],
    [1, '1'],
    [10n, new Map([[new Date(5), new Set([key])]])],
    [[1], {}],
  ])
  return {
    map,
    key,
    set: new Set<unknown>(['b', 'a', 1, [2], new Set(), new Map()]),
    empty: new Map(),
    none: new Set(),
  }
}

function binaries(): State {
  const bytes = Uint8Array.from({ length: 48 }, (_, i) => (i * 37) & 255)
  const views = TYPED_ARRAYS.map((Type) => new Type(bytes.slice().buffer))
  const empty = TYPED_ARRAYS.map((Type) => new Type(0))
  const buffer = Buffer.from('a node buffer')
  return {
    views,
    empty,
    bytes,
    buffer,
    plain: bytes.slice().buffer,
    none: new ArrayBuffer(0),
    big: new Uint8Array(70_000),
  }
}

function parts(): State {
  const { buffer } = Uint8Array.from({ length: 64 }, (_, i) => i)
  return {
    views: TYPED_ARRAYS.map((Type) => new Type(buffer, 8, 2)),
    again: TYPED_ARRAYS.map((Type) => new Type(buffer, 16, 1)),
    buffer,
  }
}

function references(): State {
  const [first, second] = REFERENCES
  return {
    first,
    list: [second, first, second, ...REFERENCES],
    map: new Map<unknown, unknown>([[first, second]]),
    set: new Set(REFERENCES.slice(200)),
    '\ud800': first,
  }
}

function twice(): State {
  const object = { a: 1 }
  const list = [object, object]
  const date = new Date(1e12)
  const bytes = new Uint8Array([1, 2, 3])
  const pattern = /x/g
  const map = new Map<unknown, unknown>([[object, list]])
  const values = [object, list, date, bytes, pattern, map, new Set([map])]
  return { values, again: [...values].reverse(), different: [{ a: 1 }, new Date(1e12), [object, object]] }
}

function cycles(): State {
  const state: State = { name: 'self' }
  const map = new Map<unknown, unknown>()
  const set = new Set<unknown>([map])
  const strange = JSON.parse('{"__proto__": 1, "\\ud800": 2}') as State
  strange['back'] = strange
  map.set(map, set).set('state', state).set(set, map)
  set.add(set)
  const list: unknown[] = [state, map]
  list[5] = list
  return Object.assign(state, { self: state, list, map, set, strange, deep: [[[state]]] })
}

function nested(depth: number): State {
  const kinds = [
    (value: unknown) => [value],
    (value: unknown) => ({ value }),
    (value: unknown) => new Map([[1, value]]),
  ]
  let value: unknown = {}
  for (let i = 1; i < depth; i++) value = (kinds[i % 3] as (value: unknown) => unknown)(value)
  return { value }
}

/** A state that nests `depth` plain objects, the outermost one included. */
export function nestedObjects(depth: number): State {
  let state: State = {}
  for (let i = 1; i < depth; i++) state = { state }
  return state
}

function deepCycle(): State {
  const state = nested(MAX_DEPTH - 1)
  state['self'] = state
  return state
}

function objectOf(keys: readonly string[], value: unknown): State {
  const object: State = {}
  for (const key of keys) {
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  }
  return object
}

/** A random state with up to `size` values. */
export function randomState(random: Random, size: number): State {
  const pool: object[] = []
  let left = size

  function value(): unknown {
    if (left-- <= 0) return random.pick(NUMBERS)
    if (pool.length > 0 && random.below(40) === 0) return random.pick(pool)
    return random.below(3) === 0 ? container(random.below(8)) : leaf(random.below(12))
  }

  function leaf(kind: number): unknown {
    switch (kind) {
      case 0:
      case 1:
        return random.pick(NUMBERS)
      case 2:
        return random.uint32() / random.pick([1, 3, 2 ** 20])
      case 3:
        return random.pick(STRINGS).slice(0, 40)
      case 4:
        return random.pick(BIGINTS)
      case 5:
        return random.pick([null, undefined, true, false])
      case 6:
        return random.pick(REFERENCES)
      case 7:
        return new Date(random.pick(DATES))
      case 8:
        return random.pick([/a+/g, /["\\/]/u])
      case 9:
        return new (random.pick(TYPED_ARRAYS))(random.below(5))
      default:
        return String.fromCharCode(
          ...Array.from({ length: random.below(12) }, () => random.uint32() & random.pick([127, 0xffff])),
        )
    }
  }

  function container(kind: number): unknown {
    const count = random.below(6)
    if (kind === 0) return keep(new Map(), (map) => times(count, () => map.set(value(), value())))
    if (kind === 1) return keep(new Set(), (set) => times(count, () => set.add(value())))
    if (kind < 4) return keep([], (list: unknown[]) => times(count, () => list.push(value())))
    if (kind === 4) return keep([], (list: unknown[]) => times(count, () => (list[random.below(20)] = value())))
    return keep({}, (object) => times(count, () => defineRandom(object)))
  }

  function keep<T extends object>(made: T, fill: (made: T) => void): T {
    if (random.below(3) === 0) pool.push(made)
    fill(made)
    return made
  }

  function defineRandom(object: object): void {
    const key = random.below(4) === 0 ? random.pick(KEYS) : `key${random.below(9)}`
    Object.defineProperty(object, key, { value: value(), enumerable: true, writable: true, configurable: true })
  }

  return keep({}, (state) => times(1 + random.below(6), () => defineRandom(state)))
}

function times(count: number, action: () => unknown): void {
  for (let i = 0; i < count; i++) action()
}

import { Reference } from '../core/reference.js'
import { MAX_DEPTH, type State } from '../core/serializer.js'
import { damage } from './damage.js'
import { setOwn } from './own-property.js'
import { PatternBudget } from './pattern-budget.js'
import { Kind, TYPED_ARRAYS } from './special.js'
import { typedArrayOf } from './typed-arrays.js'

/** Stands for a value of the graph's list until {@link Graph.link} puts the value itself there. */
class Shared {
  readonly index: number

  constructor(index: number) {
    this.index = index
  }
}

/** The bodies of all values that occur more than once, and how they hang together. */
class Graph {
  readonly #bodies: unknown[]
  readonly #visited: boolean[] = []

  constructor(bodies: unknown[]) {
    this.#bodies = bodies
  }

  /**
   * Puts the values in the places of their stand-ins and returns the first one. Depth counts along the way on which
   * a value is first met, which is how whoever walks the result will meet it.
   */
  link(): unknown {
    return this.#value(new Shared(0), 0)
  }

  #value(value: unknown, depth: number): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (!(value instanceof Shared)) {
      this.#children(value, depth)
      return value
    }
    const body = this.#bodies[value.index]
    if (typeof body !== 'object' || body === null || body instanceof Shared) {
      throw damage(`there is no shared value ${value.index}`)
    }
    if (!this.#visited[value.index]) {
      this.#visited[value.index] = true
      this.#children(body, depth)
    }
    return body
  }

  #children(value: object, depth: number): void {
    if (depth > MAX_DEPTH) throw damage(`it nests deeper than ${MAX_DEPTH}`)
    if (value instanceof Map) {
      const entries = [...value]
      value.clear()
      for (const [key, element] of entries) value.set(this.#value(key, depth + 1), this.#value(element, depth + 1))
    } else if (value instanceof Set) {
      const elements = [...value]
      value.clear()
      for (const element of elements) value.add(this.#value(element, depth + 1))
    } else if (isPlain(value) || Array.isArray(value)) {
      const object = value as State
      for (const key of Object.keys(object)) {
        const element = object[key]
        if (typeof element === 'object') setOwn(object, key, this.#value(element, depth + 1))
      }
    }
  }
}

/** Turns the specials of one state back into what they stand for. */
export class Raising {
  #graphs = 0
  #stands = 0
  readonly #patterns = new PatternBudget()

  /** The value of a special, from its array. */
  special(payload: unknown[]): unknown {
    switch (payload[0]) {
      case Kind.graph:
        this.#graphs++
        return new Graph(payload.slice(1))
      case Kind.shared:
        if (!isIndex(payload[1])) throw damage('a shared value has no position')
        this.#stands++
        return new Shared(payload[1])
      default:
        return raise(payload, this.#patterns)
    }
  }

  /** The state, from the outermost value. */
  state(value: unknown): State {
    if (this.#graphs + this.#stands > 0 && !(value instanceof Graph && this.#graphs === 1)) {
      throw damage('shared values stand where there is no list of them')
    }
    const state = value instanceof Graph ? value.link() : value
    if (!isPlain(state)) throw damage('it is not an object')
    return state
  }
}

function raise(payload: unknown[], patterns: PatternBudget): unknown {
  const [kind, first, second] = payload
  switch (kind) {
    case Kind.object:
      return objectOf(payload)
    case Kind.map:
      return mapOf(payload)
    case Kind.set:
      return new Set(payload.slice(1))
    case Kind.date:
      if (typeof first === 'number') return new Date(first)
      break
    case Kind.regExp:
      if (typeof first === 'string' && typeof second === 'string') return patterns.compile(first, second)
      break
    case Kind.sparse:
      return sparseArrayOf(payload)
    case Kind.text:
      if (first instanceof Uint8Array && first.length % 2 === 0) return Buffer.from(first.buffer).toString('utf16le')
      break
    case Kind.bigint:
      if (typeof first === 'string') return bigintOf(first)
      break
    case Kind.negativeZero:
      return -0
    case Kind.arrayBuffer:
      if (first instanceof Uint8Array) return first.buffer
      break
    case Kind.typedArray: {
      const name = isIndex(first) ? TYPED_ARRAYS[first] : undefined
      if (name !== undefined && second instanceof Uint8Array) {
        return typedArrayOf(name, second as Uint8Array<ArrayBuffer>)
      }
    }
  }
  throw damage('a special value makes no sense')
}

function objectOf(payload: unknown[]): State {
  const object: State = {}
  for (let i = 1; i < payload.length; i += 2) {
    const key = payload[i]
    if (typeof key !== 'string' || i + 1 === payload.length) throw damage('an object has a key that is not a string')
    setOwn(object, key, payload[i + 1])
  }
  return object
}

function mapOf(payload: unknown[]): Map<unknown, unknown> {
  if (payload.length % 2 === 0) throw damage('a Map has a key without a value')
  const map = new Map<unknown, unknown>()
  for (let i = 1; i < payload.length; i += 2) map.set(payload[i], payload[i + 1])
  return map
}

/** A bigint from hexadecimal digits: unlike decimal ones they take no more than linear time. */
export function bigintOf(digits: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(digits)) throw damage('a bigint is malformed')
  try {
    return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`)
  } catch (error) {
    throw damage('a bigint is too large', undefined, error)
  }
}

function sparseArrayOf(payload: unknown[]): unknown[] {
  const array = emptyArray(payload[1], payload.length)
  if (payload.length % 2 !== 0) throw damage('an array has an index without an element')
  for (let i = 2; i < payload.length; i += 2) {
    const index = payload[i]
    if (!isIndex(index) || index >= array.length) throw damage('an array has an index that is none')
    array[index] = payload[i + 1]
  }
  return array
}

/**
 * An array of holes. Its length is only what some bytes say, so an array much longer than they are is made such
 * that V8 keeps it as a dictionary: touching the last possible index does that, and it stays so.
 */
export function emptyArray(length: unknown, elements: number): unknown[] {
  if (!isIndex(length) && length !== MAX_INDEX + 1) throw damage('an array has a length that is none')
  const array: unknown[] = []
  if (length > elements * 4) {
    array[MAX_INDEX] = undefined
    delete array[MAX_INDEX]
  }
  array.length = length
  return array
}

const MAX_INDEX = 2 ** 32 - 2

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_INDEX
}

function isPlain(value: unknown): value is State {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Reference) &&
    Object.getPrototypeOf(value) === Object.prototype
  )
}

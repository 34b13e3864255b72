import { types } from 'node:util'
import { Reference } from '../core/reference.js'
import type { State } from '../core/serializer.js'
import { setOwn } from './own-property.js'
import { PatternBudget } from './pattern-budget.js'
import { Kind, Special, TYPED_ARRAYS } from './special.js'
import { fitsInt64, Survey } from './survey.js'
import { elementBytes } from './typed-arrays.js'

/*
 * MessagePack and CBOR write trees of numbers, strings, arrays, objects and bytes. Most states are such trees and
 * go to the library as they are. The others are rewritten first: a copy in which a Special stands for each value
 * that the format has no word for.
 */

const survey = new Survey()

/** `state` itself if both formats can write it as it stands, or else a copy of it that they can write. */
export function lower(state: State): unknown {
  try {
    survey.begin(state)
    return survey.special ? new Lowering(survey.shared).state(state) : state
  } finally {
    survey.end()
  }
}

class Lowering {
  readonly #shared: ReadonlySet<object> | undefined
  /** The shared values met so far, and where in that list each one is. */
  readonly #table: object[] = []
  #positions: Map<object, number> | undefined
  #patterns: PatternBudget | undefined

  constructor(shared: ReadonlySet<object> | undefined) {
    this.#shared = shared
  }

  state(state: State): unknown {
    if (this.#shared === undefined) return this.#body(state)
    this.#position(state)
    const payload: unknown[] = [Kind.graph]
    for (let i = 0; i < this.#table.length; i++) payload.push(this.#body(this.#table[i] as object))
    return new Special(payload)
  }

  #position(value: object): number {
    this.#positions ??= new Map()
    const known = this.#positions.get(value)
    if (known !== undefined) return known
    this.#positions.set(value, this.#table.length)
    return this.#table.push(value) - 1
  }

  #value(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return value.isWellFormed() ? value : new Special([Kind.text, new Uint8Array(Buffer.from(value, 'utf16le'))])
      case 'number':
        return value === 0 && 1 / value < 0 ? new Special([Kind.negativeZero]) : value
      case 'bigint':
        return fitsInt64(value) ? value : new Special([Kind.bigint, value.toString(16)])
      case 'object':
        if (value === null || value instanceof Reference) return value
        return this.#shared?.has(value) ? new Special([Kind.shared, this.#position(value)]) : this.#body(value)
      default:
        return value
    }
  }

  #body(value: object): unknown {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.#object(value as State)
    if (Array.isArray(value)) return this.#array(value)
    if (value instanceof Date) return new Special([Kind.date, value.getTime()])
    if (value instanceof Map) return this.#map(value)
    if (value instanceof Set) return this.#set(value)
    if (types.isRegExp(value)) return this.#regExp(value)
    if (types.isAnyArrayBuffer(value)) return new Special([Kind.arrayBuffer, new Uint8Array(value)])
    if (types.isTypedArray(value)) return bytesBody(value)
    return this.#object(value as State)
  }

  #object(object: State): unknown {
    const keys = Object.keys(object)
    for (const key of keys) if (!key.isWellFormed()) return this.#entries(object, keys)
    const copy: State = {}
    for (const key of keys) setOwn(copy, key, this.#value(object[key]))
    return copy
  }

  #entries(object: State, keys: string[]): Special {
    const payload: unknown[] = [Kind.object]
    for (const key of keys) payload.push(this.#value(key), this.#value(object[key]))
    return new Special(payload)
  }

  #map(map: Map<unknown, unknown>): Special {
    const payload: unknown[] = [Kind.map]
    for (const [key, value] of map) payload.push(this.#value(key), this.#value(value))
    return new Special(payload)
  }

  #set(set: Set<unknown>): Special {
    const payload: unknown[] = [Kind.set]
    for (const value of set) payload.push(this.#value(value))
    return new Special(payload)
  }

  #regExp(regExp: RegExp): Special {
    this.#patterns ??= new PatternBudget()
    this.#patterns.write(regExp)
    return new Special([Kind.regExp, regExp.source, regExp.flags])
  }

  #array(array: unknown[]): unknown {
    const copy: unknown[] = []
    for (let i = 0; i < array.length; i++) {
      const element = array[i]
      if (element === undefined && !Object.hasOwn(array, i)) return this.#sparseArray(array)
      copy.push(this.#value(element))
    }
    return copy
  }

  #sparseArray(array: unknown[]): Special {
    const payload: unknown[] = [Kind.sparse, array.length]
    for (const key of Object.keys(array)) payload.push(Number(key), this.#value(array[Number(key)]))
    return new Special(payload)
  }
}

function bytesBody(array: NodeJS.TypedArray): unknown {
  const bytes = elementBytes(array)
  if (types.isUint8Array(array)) return bytes
  const name = array[Symbol.toStringTag] as (typeof TYPED_ARRAYS)[number]
  return new Special([Kind.typedArray, TYPED_ARRAYS.indexOf(name), bytes])
}

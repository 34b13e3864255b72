import { Reference } from '../core/reference.js'
import type { State } from '../core/serializer.js'

const MIN_INT64 = -(2n ** 63n)
const MAX_INT64 = 2n ** 63n - 1n

/** So many objects are compared one by one before a Set is worth its making. */
const FEW = 8

/**
 * Finds out what a state holds: whether there is anything that a format has no word for, and which values occur
 * more than once. One is used for all states, one after the other: this runs for each state that is written.
 */
export class Survey {
  /** Whether something in the state cannot be written as it stands. */
  special = false
  /** Arrays, objects and the like that occur more than once. */
  shared: Set<object> | undefined
  readonly #few: (object | undefined)[] = new Array(FEW).fill(undefined)
  #count = 0
  #many: Set<object> | undefined

  begin(state: State): void {
    this.special = false
    this.#object(state)
  }

  /** Lets go of the state. */
  end(): void {
    for (let i = 0; i < this.#count; i++) this.#few[i] = undefined
    this.#count = 0
    this.#many = this.shared = undefined
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        if (!value.isWellFormed()) this.special = true
        break
      case 'number':
        if (value === 0 && 1 / value < 0) this.special = true
        break
      case 'bigint':
        if (!fitsInt64(value)) this.special = true
        break
      case 'object':
        if (value !== null && !(value instanceof Reference)) this.#object(value)
    }
  }

  #object(value: object): void {
    if (!this.#isNew(value)) {
      this.special = true
      this.shared ??= new Set()
      this.shared.add(value)
      return
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) this.#properties(value as State)
    else if (prototype === Array.prototype) this.#array(value as unknown[])
    else if (prototype !== Uint8Array.prototype) this.#other(value)
  }

  #properties(object: State): void {
    // Faster than a list of the keys. Should anything be inherited here, looking at it too does no harm.
    for (const key in object) {
      if (!key.isWellFormed()) this.special = true
      this.#value(object[key])
    }
  }

  #array(array: unknown[]): void {
    for (let i = 0; i < array.length; i++) {
      const element = array[i]
      if (element === undefined && !Object.hasOwn(array, i)) {
        // The rest may be a great many holes.
        this.special = true
        for (const key of Object.keys(array).slice(i)) this.#value(array[Number(key)])
        return
      }
      this.#value(element)
    }
  }

  #other(value: object): void {
    this.special = true
    if (value instanceof Map) {
      for (const [key, element] of value) {
        this.#value(key)
        this.#value(element)
      }
    } else if (value instanceof Set) {
      for (const element of value) this.#value(element)
    } else if (!ArrayBuffer.isView(value)) {
      this.#properties(value as State)
    }
  }

  #isNew(value: object): boolean {
    const few = this.#few
    for (let i = 0; i < this.#count; i++) if (few[i] === value) return false
    if (this.#count < FEW) {
      few[this.#count++] = value
      return true
    }
    this.#many ??= new Set()
    return this.#many.size < this.#many.add(value).size
  }
}

/** Whether both formats have an integer for `value`. */
export function fitsInt64(value: bigint): boolean {
  return value >= MIN_INT64 && value <= MAX_INT64
}

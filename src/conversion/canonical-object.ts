import { types } from 'node:util'
import type { Oid } from '../core/oid.js'
import { Reference } from '../core/reference.js'
import type { State } from '../core/serializer.js'
import { elementBytes } from '../serializers/typed-arrays.js'
import { CanonicalWriter } from './canonical-writer.js'

/*
 * The canonical form of an object: the same bytes for the same object, whatever serializer its state was written by.
 *
 *   object     := oid class references value            class is a text; value is the state
 *   references := count { oid class }                   those of the record, each once, by oid and then by class
 *   oid        := 8 bytes; a count, a length, a position: 4 bytes; lowest byte first
 *   text       := length bytes                          UTF-8; of texts with lone surrogates UTF-16, and the length has
 *                                                       2^31 added to it
 *   value      := 'n' null | 'u' undefined | 't' true | 'f' false
 *               | 'd' number                            IEEE 754 in 8 bytes; there is one NaN, and -0 is not 0
 *               | 'i' text                              a bigint, in hexadecimal digits
 *               | 's' text
 *               | 'r' oid class                         a reference
 *               | 'D' number                            a Date, in ms; NaN for an invalid one
 *               | 'R' text text                         a RegExp: source and flags
 *               | 'a' count { value | 'h' count }       an array; a run of holes counts as so many elements
 *               | 'o' count { text value }              an object, its keys in their order
 *               | 'm' count { value value } | 'S' count { value }          Map and Set, in their order
 *               | 'A' length bytes | 'T' text length bytes                 ArrayBuffer; typed array with its name
 *               | 'b' position                          a value that has come before, counted from 0 in the order of the
 *                                                       first bytes of those from 'D' to 'T'
 *               | 'p' length bytes                      the whole state, if nothing here can decode it (pickles)
 */
const TAG = {
  null: code('n'),
  undefined: code('u'),
  true: code('t'),
  false: code('f'),
  number: code('d'),
  bigint: code('i'),
  string: code('s'),
  reference: code('r'),
  date: code('D'),
  regExp: code('R'),
  array: code('a'),
  holes: code('h'),
  object: code('o'),
  map: code('m'),
  set: code('S'),
  arrayBuffer: code('A'),
  typedArray: code('T'),
  back: code('b'),
  opaque: code('p'),
} as const

/** So many values are compared one by one before a Map is worth its making. */
const FEW = 8

/** Writes the canonical form of objects, one after the other. */
export class CanonicalObject {
  readonly #out = new CanonicalWriter()
  readonly #few: (object | undefined)[] = new Array(FEW).fill(undefined)
  #many: Map<object, number> | undefined
  #count = 0

  /**
   * The canonical form of an object: a view of memory that the next call uses again.
   *
   * @param references of its record
   */
  write(oid: Oid, className: string, references: readonly Reference[], state: State): Uint8Array {
    this.#head(oid, className, references)
    try {
      this.#object(state)
      return this.#out.written()
    } finally {
      this.#forget()
    }
  }

  /** As {@link write}, for a state that only others can decode. */
  writeOpaque(oid: Oid, className: string, references: readonly Reference[], state: Uint8Array): Uint8Array {
    this.#head(oid, className, references)
    this.#out.tag(TAG.opaque)
    this.#out.bytes(state)
    return this.#out.written()
  }

  #head(oid: Oid, className: string, references: readonly Reference[]): void {
    const out = this.#out
    out.begin()
    out.id(oid)
    out.text(className)
    const distinct = inOrder(references)
    out.count(distinct.length)
    for (const reference of distinct) this.#reference(reference)
  }

  #reference({ oid, className }: Reference): void {
    this.#out.id(oid)
    this.#out.text(className)
  }

  #value(value: unknown): void {
    const out = this.#out
    switch (typeof value) {
      case 'string':
        out.tag(TAG.string)
        out.text(value)
        break
      case 'number':
        out.tag(TAG.number)
        out.number(value)
        break
      case 'boolean':
        out.tag(value ? TAG.true : TAG.false)
        break
      case 'undefined':
        out.tag(TAG.undefined)
        break
      case 'bigint':
        out.tag(TAG.bigint)
        out.text(value.toString(16))
        break
      case 'object':
        this.#objectOrNull(value)
    }
  }

  #objectOrNull(value: object | null): void {
    if (value === null) {
      this.#out.tag(TAG.null)
    } else if (value instanceof Reference) {
      this.#out.tag(TAG.reference)
      this.#reference(value)
    } else {
      this.#object(value)
    }
  }

  #object(value: object): void {
    const known = this.#position(value)
    if (known >= 0) {
      this.#out.tag(TAG.back)
      this.#out.count(known)
    } else {
      const prototype: unknown = Object.getPrototypeOf(value)
      if (prototype === Object.prototype) this.#properties(value as State)
      else if (prototype === Array.prototype) this.#array(value as unknown[])
      else this.#other(value)
    }
  }

  #properties(object: State): void {
    const keys = Object.keys(object)
    this.#out.tag(TAG.object)
    this.#out.count(keys.length)
    for (const key of keys) {
      this.#out.text(key)
      this.#value(object[key])
    }
  }

  #array(array: unknown[]): void {
    this.#out.tag(TAG.array)
    this.#out.count(array.length)
    for (let i = 0; i < array.length; i++) {
      const element = array[i]
      if (element === undefined && !Object.hasOwn(array, i)) {
        this.#sparse(array, i)
        return
      }
      this.#value(element)
    }
  }

  /** The rest may be a great many holes. */
  #sparse(array: unknown[], from: number): void {
    let next = from
    for (const key of Object.keys(array).slice(from)) {
      const at = Number(key)
      this.#holes(at - next)
      this.#value(array[at])
      next = at + 1
    }
    this.#holes(array.length - next)
  }

  #holes(count: number): void {
    if (count === 0) return
    this.#out.tag(TAG.holes)
    this.#out.count(count)
  }

  #other(value: object): void {
    const out = this.#out
    if (types.isMap(value)) {
      out.tag(TAG.map)
      out.count(value.size)
      for (const [key, element] of value) {
        this.#value(key)
        this.#value(element)
      }
    } else if (types.isSet(value)) {
      out.tag(TAG.set)
      out.count(value.size)
      for (const element of value) this.#value(element)
    } else if (types.isDate(value)) {
      out.tag(TAG.date)
      out.number(value.getTime())
    } else if (types.isTypedArray(value)) {
      out.tag(TAG.typedArray)
      out.text(types.isUint8Array(value) ? 'Uint8Array' : value[Symbol.toStringTag])
      out.bytes(elementBytes(value))
    } else if (types.isAnyArrayBuffer(value)) {
      out.tag(TAG.arrayBuffer)
      out.bytes(new Uint8Array(value))
    } else if (types.isRegExp(value)) {
      out.tag(TAG.regExp)
      out.text(value.source)
      out.text(value.flags)
    } else {
      this.#properties(value as State)
    }
  }

  /** The position of a value that has come before; -1 for a new one, which gets the next. */
  #position(value: object): number {
    const few = this.#few
    for (let i = 0; i < this.#count && i < FEW; i++) if (few[i] === value) return i
    const known = this.#many?.get(value)
    if (known !== undefined) return known
    const position = this.#count++
    if (position < FEW) {
      few[position] = value
    } else {
      this.#many ??= new Map()
      this.#many.set(value, position)
    }
    return -1
  }

  #forget(): void {
    for (let i = 0; i < this.#count && i < FEW; i++) this.#few[i] = undefined
    this.#many = undefined
    this.#count = 0
  }
}

function inOrder(references: readonly Reference[]): readonly Reference[] {
  if (references.length < 2) return references
  for (let i = 1; i < references.length; i++) {
    if (compare(references[i - 1] as Reference, references[i] as Reference) >= 0) {
      const sorted = [...references].sort(compare)
      return sorted.filter((reference, at) => at === 0 || compare(sorted[at - 1] as Reference, reference) !== 0)
    }
  }
  return references
}

/** Names by their UTF-16 code units. */
function compare(a: Reference, b: Reference): number {
  if (a.oid !== b.oid) return a.oid - b.oid
  return a.className === b.className ? 0 : a.className < b.className ? -1 : 1
}

function code(character: string): number {
  return character.charCodeAt(0)
}

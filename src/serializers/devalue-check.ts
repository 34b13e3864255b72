import { MAX_DEPTH } from '../core/serializer.js'
import { damage } from './damage.js'
import { TYPED_ARRAYS } from './special.js'

/*
 * devalue's text is one flat JSON array. Its first element is the outermost value; objects and arrays in it hold no
 * values but positions in the flat array, or a negative number for one of a few values. What devalue does with a
 * flat array that it did not make is its own affair, so it gets none that it could not have made from a state.
 */

/** Negative positions that stand for values: undefined, NaN, the infinities, and minus zero. */
const VALUES = new Set([-1, -3, -4, -5, -6])
const HOLE = -2
const SPARSE = -7

/** Longer bigints, in digits, are written in hexadecimal: reading decimal ones takes more than linear time. */
export const MAX_DECIMAL_BIGINT = 100

const DECIMAL = /^-?[0-9]+$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const VIEWS: ReadonlySet<string> = new Set(['Uint8Array', ...TYPED_ARRAYS])

type Entry = Record<string, unknown> | unknown[]

/**
 * Checks parsed text, and that a state with `references` references can be made of it.
 *
 * @throws PerdureError `PERDURE_DECODE`
 */
export function checkFlat(flat: unknown, references: number): void {
  if (!Array.isArray(flat)) throw damage('it is not a list')
  if (!isContainer(flat[0]) || Array.isArray(flat[0])) throw damage('it is not an object')
  const check = new FlatCheck(flat, references)
  for (const entry of flat) if (isContainer(entry)) check.entry(entry)
  check.depth(0, 0)
}

class FlatCheck {
  readonly #flat: readonly unknown[]
  readonly #references: number
  readonly #visited: boolean[] = []

  constructor(flat: readonly unknown[], references: number) {
    this.#flat = flat
    this.#references = references
  }

  entry(entry: Entry): void {
    if (!Array.isArray(entry)) {
      for (const key of Object.keys(entry)) {
        if (key === '__proto__') throw damage('an object has the key __proto__')
        this.#link(entry[key])
      }
    } else if (typeof entry[0] === 'string') {
      this.#tagged(entry[0], entry)
    } else if (entry[0] === SPARSE) {
      this.#sparse(entry)
    } else {
      for (const element of entry) if (element !== HOLE) this.#link(element)
    }
  }

  #link(value: unknown): void {
    if (!this.#isPosition(value) && !VALUES.has(value as number)) throw damage('a value is in no place')
  }

  #isPosition(value: unknown): value is number {
    return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < this.#flat.length
  }

  #target(value: unknown): unknown {
    return this.#isPosition(value) ? this.#flat[value] : undefined
  }

  #sparse(entry: unknown[]): void {
    if (entry.length % 2 !== 0) throw damage('an array has an index without an element')
    // The length and the indices are checked where they are used.
    for (let i = 3; i < entry.length; i += 2) this.#link(entry[i])
  }

  #tagged(tag: string, entry: unknown[]): void {
    if (tag === 'Map' || tag === 'Set') {
      if (tag === 'Map' && entry.length % 2 === 0) throw damage('a Map has a key without a value')
      for (let i = 1; i < entry.length; i++) this.#link(entry[i])
    } else if (!this.#isLeaf(tag, entry)) {
      throw damage(`a value of the type ${JSON.stringify(tag.slice(0, 40))} makes no sense`)
    }
  }

  #isLeaf(tag: string, entry: unknown[]): boolean {
    const [, content, flags = ''] = entry
    if (entry.length > (tag === 'RegExp' ? 3 : 2)) return false
    switch (tag) {
      case 'Date':
        return typeof content === 'string'
      case 'RegExp':
        return typeof content === 'string' && typeof flags === 'string'
      case 'BigInt':
        return typeof content === 'string' && content.length <= MAX_DECIMAL_BIGINT + 1 && DECIMAL.test(content)
      case 'ArrayBuffer':
        return typeof content === 'string' && content.length % 4 === 0 && BASE64.test(content)
      case 'BigHex':
        return typeof this.#target(content) === 'string'
      case 'Reference':
        return this.#isReference(this.#target(content))
      default: {
        const target = this.#target(content)
        return VIEWS.has(tag) && Array.isArray(target) && target[0] === 'ArrayBuffer'
      }
    }
  }

  #isReference(number: unknown): boolean {
    return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= this.#references
  }

  /** Follows positions as devalue will, each one once, so that it will not go deeper than this. */
  depth(position: number, depth: number): void {
    const entry = this.#flat[position]
    if (this.#visited[position] || !isContainer(entry)) return
    this.#visited[position] = true
    const children = linksOf(entry)
    if (children === undefined) return
    if (depth > MAX_DEPTH) throw damage(`it nests deeper than ${MAX_DEPTH}`)
    for (const child of children) if (this.#isPosition(child)) this.depth(child, depth + 1)
  }
}

function isContainer(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null
}

/** The positions in an array, an object, a Map or a Set; undefined for anything else. */
function linksOf(entry: Entry): unknown[] | undefined {
  if (!Array.isArray(entry)) return Object.values(entry)
  if (entry[0] === 'Map' || entry[0] === 'Set') return entry.slice(1)
  if (typeof entry[0] === 'string') return undefined
  return entry[0] === SPARSE ? entry.filter((_, i) => i > 1 && i % 2 === 1) : entry
}

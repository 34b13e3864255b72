import { ByteWriter } from './byte-writer.js'
import { PerdureError } from './errors.js'
import { MAX_ID, type Oid } from './oid.js'
import { Reference } from './reference.js'
import type { ReferenceReader } from './serializer.js'

/*
 * The record: what a storage keeps of one version of one object. Class and references stand outside the state,
 * so that garbage collection, verification and ghosts need neither the serializer nor the user's classes.
 *
 *   record     := classes references state
 *   classes    := count:varint { length:varint name:utf8 }      the first one is the object's own class
 *   references := count:varint { class:varint oid:varint }      class is a position in the list of classes; an empty
 *                                                               name there means that the object may be of any class
 *   state      := the bytes that follow, as the serializer made them
 *
 * A varint is an unsigned LEB128 number (https://en.wikipedia.org/wiki/LEB128) of at most 53 bits.
 */

/** Names of classes are at most this long, in bytes of UTF-8. */
export const MAX_CLASS_NAME = 255

/** In a reference: the object's class is not known. No object's own class has this name. */
export const ANY_CLASS = ''

/** Writes the part of a record that stands before the state. */
export function writeRecordHead(out: ByteWriter, className: string, references: readonly Reference[]): void {
  const classes = [className]
  for (const { className: name } of references) if (!classes.includes(name)) classes.push(name)
  out.varint(classes.length)
  for (const name of classes) out.string(name)
  out.varint(references.length)
  for (const reference of references) {
    out.varint(classes.indexOf(reference.className))
    out.varint(reference.oid)
  }
}

/** Encodes a whole record. Made for tests and tools; a commit writes head and state into one buffer. */
export function encodeRecord(className: string, references: readonly Reference[], state: Uint8Array): Uint8Array {
  const out = new ByteWriter(64 + state.length)
  writeRecordHead(out, className, references)
  out.bytes(state)
  return out.buffer.subarray(0, out.length)
}

/** Encodes a record whose references do not say what classes they lead to. */
export function encodeUntypedRecord(className: string, oids: readonly Oid[], state: Uint8Array): Uint8Array {
  const out = new ByteWriter(64 + className.length + 8 * oids.length + state.length)
  out.varint(2)
  out.string(className)
  out.string(ANY_CLASS)
  out.varint(oids.length)
  for (const oid of oids) {
    out.varint(1)
    out.varint(oid)
  }
  out.bytes(state)
  return out.buffer.subarray(0, out.length)
}

/**
 * The oids a record refers to and its state, a view of `data`, without building anything else.
 *
 * @throws PerdureError `PERDURE_DECODE`
 */
export function untypedRecord(data: Uint8Array): { readonly oids: readonly Oid[]; readonly state: Uint8Array } {
  const cursor = new Cursor(data)
  for (let classes = cursor.count(1); classes > 0; classes--) cursor.skip(cursor.varint())
  const oids: Oid[] = []
  for (let count = cursor.count(2); count > 0; count--) {
    cursor.varint()
    oids.push(cursor.varint())
  }
  return { oids, state: data.subarray(cursor.position) }
}

/** A record taken apart. Its references stand ready for the serializer that decodes the state. */
export class DecodedRecord implements ReferenceReader {
  readonly className: string
  readonly references: readonly Reference[]
  /** A view of the bytes that were decoded. */
  readonly state: Uint8Array

  constructor(className: string, references: readonly Reference[], state: Uint8Array) {
    this.className = className
    this.references = references
    this.state = state
  }

  get count(): number {
    return this.references.length
  }

  at(position: number): Reference {
    const reference = this.references[position]
    if (reference === undefined) {
      throw new PerdureError('PERDURE_DECODE', `There is no reference ${position}; the record has ${this.count}.`)
    }
    return reference
  }
}

/**
 * Takes a record apart.
 *
 * @throws PerdureError `PERDURE_DECODE` with `details.offset`, the byte in `data` where it stops making sense
 */
export function decodeRecord(data: Uint8Array): DecodedRecord {
  const cursor = new Cursor(data)
  const classes = readClasses(cursor)
  const count = cursor.count(2)
  const references: Reference[] = []
  for (let i = 0; i < count; i++) {
    const className = classes[cursor.varint()]
    if (className === undefined) throw cursor.error('a reference names a class that is not in the list')
    references.push(new Reference(cursor.varint(), className))
  }
  return new DecodedRecord(classes[0] as string, references, data.subarray(cursor.position))
}

/** The oids a record refers to, without building anything else. */
export function recordReferences(data: Uint8Array): Oid[] {
  const oids: Oid[] = []
  forEachReference(data, (oid) => oids.push(oid))
  return oids
}

/**
 * Calls `visit` with each oid a record refers to, in the order of the record; one may come more than once.
 *
 * @throws PerdureError `PERDURE_DECODE`
 */
export function forEachReference(data: Uint8Array, visit: (oid: Oid) => void): void {
  const cursor = new Cursor(data)
  for (let classes = cursor.count(1); classes > 0; classes--) cursor.skip(cursor.varint())
  for (let count = cursor.count(2); count > 0; count--) {
    cursor.varint()
    visit(cursor.varint())
  }
}

/** The oids records refer to, read from one record after another without building anything for each. */
export class ReferenceList {
  /** The first {@link count} are those of the record read last; one may occur more than once. */
  oids = new Float64Array(64)
  count = 0

  /**
   * Reads the references of the record that lies in `data` from `start` to `end`.
   *
   * @throws PerdureError `PERDURE_DECODE`
   */
  read(data: Uint8Array, start: number, end: number): void {
    const cursor = new Cursor(data, start, end)
    for (let classes = cursor.count(1); classes > 0; classes--) cursor.skip(cursor.varint())
    this.#readFrom(cursor)
  }

  /** As {@link read}; returns the name of the object's class too. */
  readHead(data: Uint8Array, start: number, end: number): string {
    const cursor = new Cursor(data, start, end)
    const className = readFirstClass(cursor)
    this.#readFrom(cursor)
    return className
  }

  #readFrom(cursor: Cursor): void {
    this.count = cursor.count(2)
    if (this.count > this.oids.length) this.oids = new Float64Array(this.count * 2)
    for (let i = 0; i < this.count; i++) {
      cursor.varint()
      this.oids[i] = cursor.varint()
    }
  }
}

/** Name of the class of the object in a record. */
export function recordClassName(data: Uint8Array): string {
  return readClasses(new Cursor(data))[0] as string
}

function readClasses(cursor: Cursor): string[] {
  const count = cursor.count(1)
  if (count === 0) throw cursor.error('the record names no class')
  const classes: string[] = []
  for (let i = 0; i < count; i++) {
    const length = cursor.varint()
    if (length > MAX_CLASS_NAME) throw cursor.error('a class name is too long')
    classes.push(cursor.name(length))
  }
  return classes
}

/** Name of the object's own class. Leaves the cursor behind all names. */
function readFirstClass(cursor: Cursor): string {
  const count = cursor.count(1)
  if (count === 0) throw cursor.error('the record names no class')
  const length = cursor.varint()
  if (length > MAX_CLASS_NAME) throw cursor.error('a class name is too long')
  const name = cursor.name(length)
  for (let others = count - 1; others > 0; others--) cursor.skip(cursor.varint())
  return name
}

class Cursor {
  readonly data: Uint8Array
  readonly #start: number
  readonly #end: number
  position: number

  constructor(data: Uint8Array, start = 0, end = data.length) {
    this.data = data
    this.#start = start
    this.#end = end
    this.position = start
  }

  varint(): number {
    const { data } = this
    const first = this.#byte(data)
    if (first < 128) return first
    let value = first & 127
    for (let scale = 128; ; scale *= 128) {
      const byte = this.#byte(data)
      value += (byte & 127) * scale
      if (value > MAX_ID) throw this.error('a number is too large')
      if (byte < 128) return value
      if (scale >= 2 ** 49) throw this.error('a number is too long')
    }
  }

  #byte(data: Uint8Array): number {
    if (this.position >= this.#end) throw this.error('it ends too early')
    return data[this.position++] as number
  }

  /** A varint that counts things of at least `size` bytes each, so it can be checked against what is left. */
  count(size: number): number {
    const count = this.varint()
    if (count * size > this.#end - this.position) throw this.error('a count is larger than the record')
    return count
  }

  skip(length: number): void {
    this.position += length
    if (this.position > this.#end) throw this.error('it ends too early')
  }

  name(length: number): string {
    const start = this.position
    this.skip(length)
    return internName(this.data, start, length)
  }

  error(what: string): PerdureError {
    const [position, length] = [this.position - this.#start, this.#end - this.#start]
    return new PerdureError('PERDURE_DECODE', `Not a record: ${what} (byte ${position} of ${length}).`, {
      details: { offset: Math.min(position, length) },
    })
  }
}

/*
 * A database has few class names and each record repeats some, so they are remembered by a hash of their bytes:
 * comparing twenty bytes is faster than decoding them. The table is bounded, and a collision only costs a decode.
 */
const INTERNED_NAMES = 1024
const interned: ({ bytes: Uint8Array; name: string } | undefined)[] = new Array(INTERNED_NAMES).fill(undefined)

function internName(data: Uint8Array, start: number, length: number): string {
  let hash = length
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (data[start + i] as number)) | 0
  const slot = hash & (INTERNED_NAMES - 1)
  const known = interned[slot]
  if (known !== undefined && known.bytes.length === length && sameBytes(known.bytes, data, start)) return known.name
  const bytes = Uint8Array.from(data.subarray(start, start + length))
  const name = Buffer.from(bytes.buffer).toString('utf8')
  interned[slot] = { bytes, name }
  return name
}

function sameBytes(bytes: Uint8Array, data: Uint8Array, start: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== data[start + i]) return false
  return true
}

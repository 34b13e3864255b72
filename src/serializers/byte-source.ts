import type { PerdureError } from '../core/errors.js'
import type { Reference } from '../core/reference.js'
import { MAX_DEPTH, MAX_PROPERTIES, type ReferenceReader, type State } from '../core/serializer.js'
import { damage } from './damage.js'
import { setOwn } from './own-property.js'
import { Raising } from './raise.js'

/** States up to this many bytes are copied to one buffer, which costs less than making two views of each. */
const SCRATCH_BYTES = 8192

/** Strings shorter than this are faster put together here than by a call into the engine. */
const SHORT_STRING = 8

/** Keys longer than this, in bytes, are not remembered. */
const MAX_CACHED_KEY = 32
const CACHED_KEYS = 2048

interface CachedKey {
  readonly bytes: Uint8Array
  readonly text: string
}

// The engine's own decoder, where there is one: `toString` spends as long again on checking its arguments.
const utf8Slice: (this: Buffer, start: number, end: number) => string =
  (Buffer.prototype as { utf8Slice?: (this: Buffer, start: number, end: number) => string }).utf8Slice ??
  function (start, end) {
    return this.toString('utf8', start, end)
  }

/**
 * Reads one state from bytes that nobody vouches for. Subclasses know a format; what all have in common is here:
 * nothing is read past the end, no room is made for more elements than there are bytes left, and no container is
 * entered below {@link MAX_DEPTH}. Everything else follows: each value takes at least one byte.
 */
export abstract class ByteSource {
  protected buffer: Buffer
  protected view: DataView
  protected position = 0
  protected end = 0
  #scratch: Buffer
  #scratchView: DataView
  #busy = false
  #references: ReferenceReader | undefined
  #raising: Raising | undefined
  readonly #keys: (CachedKey | undefined)[] = new Array(CACHED_KEYS).fill(undefined)

  constructor() {
    this.#scratch = this.buffer = Buffer.alloc(SCRATCH_BYTES)
    this.#scratchView = this.view = viewOf(this.buffer)
  }

  /** True while a state is being read: whoever decodes another one meanwhile needs another source. */
  get busy(): boolean {
    return this.#busy
  }

  /** The state that all of `bytes` make. */
  read(bytes: Uint8Array, references: ReferenceReader): State {
    this.#open(bytes)
    this.#busy = true
    this.#references = references
    try {
      const value = this.outermost()
      if (this.position !== this.end) throw this.damage('bytes are left over')
      return this.#raising === undefined ? this.#plain(value) : this.#raising.state(value)
    } catch (error) {
      // What is too large for the engine: a string of 512 MB, a Map of 16 million entries.
      throw error instanceof RangeError ? damage('a value is too large', this.position, error) : error
    } finally {
      this.#busy = false
      this.#references = this.#raising = undefined
      this.buffer = this.#scratch
      this.view = this.#scratchView
    }
  }

  /** Reads the outermost value. */
  protected abstract outermost(): unknown

  /** Reads any value inside of `depth` containers. */
  protected abstract value(depth: number): unknown

  /** Reads the key of an object. */
  protected abstract propertyName(): string

  #open(bytes: Uint8Array): void {
    this.position = 0
    this.end = bytes.length
    if (bytes.length <= SCRATCH_BYTES) {
      this.buffer.set(bytes)
    } else {
      this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.view = viewOf(this.buffer)
    }
  }

  #plain(value: unknown): State {
    if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      return value as State
    }
    throw this.damage('it is not an object')
  }

  protected byte(): number {
    if (this.position >= this.end) throw this.damage('it ends too early')
    return this.buffer[this.position++] as number
  }

  protected uint16(): number {
    return this.view.getUint16(this.take(2))
  }

  protected uint32(): number {
    return this.view.getUint32(this.take(4))
  }

  protected float64(): number {
    return this.view.getFloat64(this.take(8))
  }

  /** Moves on by `count` bytes, and gives the position before. */
  protected take(count: number): number {
    const start = this.position
    if (count > this.end - start) throw this.damage('it ends too early')
    this.position = start + count
    return start
  }

  protected array(length: number, depth: number): unknown[] {
    this.#enter(length, depth)
    const array = new Array<unknown>(length)
    for (let i = 0; i < length; i++) array[i] = this.value(depth + 1)
    return array
  }

  protected object(size: number, depth: number): State {
    this.#enter(size * 2, depth)
    if (size > MAX_PROPERTIES) throw this.damage(`an object has more than ${MAX_PROPERTIES} properties`)
    const object: State = {}
    for (let i = 0; i < size; i++) {
      const key = this.propertyName()
      setOwn(object, key, this.value(depth + 1))
    }
    return object
  }

  #enter(values: number, depth: number): void {
    if (values > this.end - this.position) throw this.damage('it has fewer elements than it says')
    if (depth > MAX_DEPTH) throw this.damage(`it nests deeper than ${MAX_DEPTH}`)
  }

  /** UTF-8 text of `length` bytes. Malformed bytes become U+FFFD: what encoded them had replaced nothing. */
  protected text(length: number): string {
    const start = this.take(length)
    const { buffer } = this
    if (length < SHORT_STRING) {
      let text = ''
      let i = start
      for (; i < start + length; i++) {
        const byte = buffer[i] as number
        if (byte > 127) break
        text += String.fromCharCode(byte)
      }
      if (i === start + length) return text
    }
    return utf8Slice.call(buffer, start, start + length)
  }

  /** The same as {@link text}, remembering what has been read before: objects of a class repeat their keys. */
  protected key(length: number): string {
    if (length > MAX_CACHED_KEY) return this.text(length)
    const start = this.take(length)
    const { buffer } = this
    let hash = length
    for (let i = start; i < start + length; i++) hash = (Math.imul(hash, 31) + (buffer[i] as number)) | 0
    const slot = (hash ^ (hash >>> 11)) & (CACHED_KEYS - 1)
    const known = this.#keys[slot]
    if (known !== undefined && isAt(known.bytes, buffer, start, length)) return known.text
    this.position = start
    const text = this.text(length)
    this.#keys[slot] = { bytes: Uint8Array.from(buffer.subarray(start, start + length)), text }
    return text
  }

  /** A copy of `length` bytes in an ArrayBuffer of their own. */
  protected bytes(length: number): Uint8Array<ArrayBuffer> {
    const start = this.take(length)
    const copy = new Uint8Array(length)
    copy.set(this.buffer.subarray(start, start + length))
    return copy
  }

  protected reference(position: number | bigint): Reference {
    const references = this.#references as ReferenceReader
    if (typeof position === 'bigint' || position < 0 || position >= references.count) {
      throw this.damage('it refers to an object that is not in the list of references')
    }
    return references.at(position)
  }

  protected special(payload: unknown[]): unknown {
    this.#raising ??= new Raising()
    return this.#raising.special(payload)
  }

  protected damage(what: string): PerdureError {
    return damage(what, Math.min(this.position, this.end))
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

function isAt(bytes: Uint8Array, buffer: Buffer, start: number, length: number): boolean {
  if (bytes.length !== length) return false
  for (let i = 0; i < length; i++) if (bytes[i] !== buffer[start + i]) return false
  return true
}

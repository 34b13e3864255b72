import { inflateSync } from 'node:zlib'
import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { pickleDamage } from './pickle/pickle-bytes.js'
import { PickleReader } from './pickle/pickle-reader.js'
import { PythonGlobal } from './pickle/python-values.js'
import type { DurusObject } from './source.js'

/** The most bytes that a compressed state may have when it is not: enough for any object, and too few to hurt. */
export const MAX_STATE_BYTES = 256 * 1024 * 1024

/** Inflated bytes are given out by pieces, in bytes. */
const SMALLEST_PIECE = 256
const LARGEST_PIECE = 64 * 1024

/** What a zlib stream begins with. No pickle does. */
const ZLIB = 0x78

/** What is written for a class: PROTO 2, GLOBAL; its module and its name, a line each; then BINPUT 0, STOP. */
const CLASS_HEAD = Buffer.from('\x80\x02c', 'latin1')
const CLASS_TAIL = Buffer.from('q\x00.', 'latin1')
const NEWLINE = 0x0a

/** An object of Durus, its pickles read. */
export interface PythonInstance {
  readonly type: PythonGlobal
  readonly state: unknown
}

/** Reads the data of Durus's objects, one after the other: the pickle of the class, then that of the state. */
export class ObjectDataReader {
  readonly #reader = new PickleReader()
  /** Classes by what is between CLASS_HEAD and CLASS_TAIL. There are few, and each object has one. */
  readonly #classes = new Map<string, PythonGlobal>()

  /**
   * The class alone, without a look at the state.
   *
   * @throws PerdureError `PERDURE_DECODE` with `details.oid` and `details.offset`, in the object's data
   */
  readClass({ oid, data }: DurusObject): PythonGlobal {
    try {
      return this.#usualClass(data) ?? this.#anyClass(data)
    } catch (error) {
      throw explain(oid, error)
    }
  }

  /**
   * @throws PerdureError `PERDURE_DECODE` with `details.oid` and `details.offset`, in the object's data. What is wrong
   *   within a compressed state has the offset at which that begins, and `details.stateOffset` within it.
   */
  read({ oid, data }: DurusObject): PythonInstance {
    try {
      const type = this.#anyClass(data)
      const start = this.#reader.position
      if (data[start] !== ZLIB) return { type, state: this.#reader.load() }
      return { type, state: this.#compressed(data, start) }
    } catch (error) {
      throw explain(oid, error)
    }
  }

  #usualClass(data: Uint8Array): PythonGlobal | undefined {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    if (bytes.compare(CLASS_HEAD, 0, CLASS_HEAD.length, 0, CLASS_HEAD.length) !== 0) return undefined
    const module = bytes.indexOf(NEWLINE, CLASS_HEAD.length)
    const end = module < 0 ? -1 : bytes.indexOf(NEWLINE, module + 1)
    if (end < 0 || bytes.compare(CLASS_TAIL, 0, CLASS_TAIL.length, end + 1, end + 1 + CLASS_TAIL.length) !== 0) {
      return undefined
    }
    const names = bytes.toString('latin1', CLASS_HEAD.length, end)
    const known = this.#classes.get(names)
    if (known !== undefined) return known
    const type = this.#anyClass(data)
    this.#classes.set(names, type)
    return type
  }

  #anyClass(data: Uint8Array): PythonGlobal {
    this.#reader.open(data)
    const type = this.#reader.load()
    if (type instanceof PythonGlobal) return type
    throw pickleDamage('it does not begin with a class', 0)
  }

  /** The state may refer to what the pickle of the class has put into the memo. */
  #compressed(data: Uint8Array, start: number): unknown {
    this.#reader.continue(inflate(data.subarray(start), start))
    try {
      return this.#reader.load()
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      const { offset } = error.details
      throw new PerdureError(error.code, `${error.message.slice(0, -2)} of the inflated state).`, {
        details: { offset: start, stateOffset: offset },
        cause: error,
      })
    }
  }
}

function inflate(compressed: Uint8Array, offset: number): Uint8Array {
  try {
    // One piece is made for most states: the size that is usual would be 16 KiB for each.
    const chunkSize = Math.min(LARGEST_PIECE, SMALLEST_PIECE + 4 * compressed.length)
    return inflateSync(compressed, { maxOutputLength: MAX_STATE_BYTES, chunkSize })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const what = code === 'ERR_BUFFER_TOO_LARGE' ? `it has more than ${MAX_STATE_BYTES} bytes` : message
    throw pickleDamage(`the compressed state cannot be inflated: ${what}`, offset, cause)
  }
}

function explain(oid: Oid, error: unknown): unknown {
  if (!(error instanceof PerdureError)) return error
  return new PerdureError(error.code, `The data of Durus object ${oid} makes no sense. ${error.message}`, {
    details: { ...error.details, oid },
    cause: error,
  })
}

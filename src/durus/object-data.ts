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

/** What ends the pickle of a class, as Durus writes it: BINPUT 0, STOP. The state may refer to the class by that 0. */
const CLASS_TAIL = Buffer.from('q\x00.', 'latin1')

/** An object of Durus, its pickles read. */
export interface PythonInstance {
  readonly type: PythonGlobal
  readonly state: unknown
}

/** The pickle of a class that has been read. */
interface KnownClass {
  readonly pickle: Uint8Array
  readonly type: PythonGlobal
}

/** Reads the data of Durus's objects, one after the other: the pickle of the class, then that of the state. */
export class ObjectDataReader {
  readonly #reader = new PickleReader()
  /** That of the object before, if it was as Durus writes it: often the next one has the same. */
  #known: KnownClass | undefined

  /**
   * The class alone, without a look at the state.
   *
   * @throws PerdureError `PERDURE_DECODE` with `details.oid` and `details.offset`, in the object's data
   */
  readClass({ oid, data }: DurusObject): PythonGlobal {
    try {
      return this.#readType(data)
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
      const type = this.#readType(data)
      const start = this.#reader.position
      if (data[start] !== ZLIB) return { type, state: this.#reader.load() }
      return { type, state: this.#compressed(data, start) }
    } catch (error) {
      throw explain(oid, error)
    }
  }

  #readType(data: Uint8Array): PythonGlobal {
    const reader = this.#reader
    reader.open(data)
    const known = this.#known
    if (known !== undefined && beginsWith(data, known.pickle)) {
      reader.skip(known.pickle.length, known.type)
      return known.type
    }
    const type = reader.load()
    if (!(type instanceof PythonGlobal)) throw pickleDamage('it does not begin with a class', 0)
    const pickle = data.subarray(0, reader.position)
    const isUsual = reader.numbered === 1 && CLASS_TAIL.compare(pickle.subarray(-CLASS_TAIL.length)) === 0
    this.#known = isUsual ? { pickle: Uint8Array.from(pickle), type } : undefined
    return type
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

function beginsWith(data: Uint8Array, beginning: Uint8Array): boolean {
  for (let i = beginning.length - 1; i >= 0; i--) if (data[i] !== beginning[i]) return false
  return true
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

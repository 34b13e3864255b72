/*
 * What MessagePack and CBOR cannot say in their own words is written as a "special": one extension (a tag in CBOR)
 * around an array whose first element tells the kind. The numbers are part of the file format and never change.
 */

/** The first element of a special's array, and what follows it. */
export const Kind = {
  /** Bodies of the values that occur more than once; the first is the state itself. Stands only at the top. */
  graph: 0,
  /** Position in the graph's list, from 0: stands wherever such a value occurs. */
  shared: 1,
  /** Keys and values in turn: an object with a key that is not well-formed Unicode. */
  object: 2,
  /** Keys and values in turn. */
  map: 3,
  /** Elements. */
  set: 4,
  /** Milliseconds since 1970, NaN for an invalid date. */
  date: 5,
  /** Source, flags. */
  regExp: 6,
  /** Length, then index and element in turn: an array with holes. */
  sparse: 7,
  /** UTF-16 code units as little-endian bytes: a string with lone surrogates. */
  text: 8,
  /** Hexadecimal digits, after a minus sign if negative: a bigint that does not fit 64 bits. */
  bigint: 9,
  /** Nothing follows. */
  negativeZero: 10,
  /** Bytes. */
  arrayBuffer: 11,
  /** Position in {@link TYPED_ARRAYS}, then the elements as little-endian bytes. */
  typedArray: 12,
} as const

/** Typed arrays by their number in the bytes. A plain byte string is a Uint8Array. */
export const TYPED_ARRAYS = [
  'Int8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float16Array',
] as const

/** Stands in a lowered state for a value that the format has no word for. */
export class Special {
  readonly payload: unknown[]

  constructor(payload: unknown[]) {
    this.payload = payload
  }
}

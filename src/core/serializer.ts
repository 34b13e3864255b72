import type { Reference } from './reference.js'

/**
 * The persistent fields of one object, by name. A plain object, arrays and maps of plain values below it, and
 * {@link Reference} instances where it refers to other persistent objects.
 */
export type State = Record<string, unknown>

/** Given to {@link Serializer.encode}: turns each reference met in the state into its position in the record. */
export interface ReferenceWriter {
  /** Position of `reference` in the record's list of references, from 0. The same reference has the same position. */
  position(reference: Reference): number
}

/** Given to {@link Serializer.decode}: finds the reference at a position. */
export interface ReferenceReader {
  /** How many references the record has. A position that is not below this is damage. */
  readonly count: number
  /** The reference at `position`, from 0; the same instance each time. */
  at(position: number): Reference
}

/**
 * Turns states into bytes and back. One is chosen when a database is created and named in its file.
 *
 * A serializer stores every value of this list and gives it back equal: null, undefined, booleans, numbers (NaN,
 * the infinities and -0 included), bigints of any size, strings (lone surrogates included), Date (an invalid one
 * included), RegExp (lastIndex is not kept), arrays (holes are kept as holes), plain objects (any string key,
 * `__proto__` included, key order kept), Map and Set (any key, order kept), ArrayBuffer, Uint8Array and the other
 * typed arrays (the elements only; two views of one buffer come back as two buffers; a Buffer comes back as a
 * Uint8Array), and {@link Reference}. Values that occur twice in one state, cycles included, come back as one
 * value. Objects come back with Object.prototype, whatever they had.
 *
 * It must be stateless: the same instance serves every connection of a process, and other processes and threads
 * must be able to read what it wrote with a new instance.
 *
 * Implementations need not check what they are given to encode: `core/object-writer.ts` has refused everything
 * outside the list before.
 */
export interface Serializer {
  /** Stored in the database; 1 to 31 characters out of `a-z 0-9 - . _`. */
  readonly name: string

  /**
   * Encodes one state. The bytes returned may be a view of a larger buffer but must not be written to by a later
   * call before the caller has copied them; the caller copies before it calls again.
   */
  encode(state: State, references: ReferenceWriter): Uint8Array

  /**
   * Decodes what {@link encode} made. The result must not share memory with `bytes`.
   *
   * The bytes may come from a hostile source: no code may run, no prototype may change, memory and time must be
   * bounded by a small multiple of `bytes.length`, and nesting by {@link MAX_DEPTH}.
   *
   * @throws PerdureError `PERDURE_DECODE`, and nothing else, with `details.offset` where it is known.
   */
  decode(bytes: Uint8Array, references: ReferenceReader): State
}

/** How deep containers may nest within one state. Deeper ones are refused at commit, and by every decoder. */
export const MAX_DEPTH = 500

/**
 * How many properties one plain object may have. Adding properties to an object gets slower and slower beyond a few
 * million (V8 took 5 s for 3 million, minutes for 9), so an object with more is refused at commit. Use a Map or a BTree.
 */
export const MAX_PROPERTIES = 1_000_000

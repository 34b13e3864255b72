import { CorruptionError, PerdureError } from '../core/errors.js'
import { MAX_ID, type Oid } from '../core/oid.js'
import { MAX_RECORD_BYTES } from '../journal/format.js'
import type { OpenFile } from '../journal/journal-file.js'
import { ReadWindow } from '../journal/read-window.js'
import type { DurusObject } from './source.js'

/*
 * A record, as it stands in both of Durus's own file formats; all integers are unsigned and big-endian:
 *
 *   length of the rest: 4 or 8 bytes · oid: 8 · length of the data: 4 · data · oids that the data refers to: 8 each
 *
 * FileStorage has the oid once more before it.
 */

const OID_BYTES = 8

const NOTHING = Buffer.alloc(0)

/** In what the formats differ. */
export interface RecordLayout {
  /** How many bytes the length of a record takes. */
  readonly lengthBytes: 4 | 8
  /** How often its oid follows. */
  readonly oidCopies: 1 | 2
}

/** References are looked at by pieces of this size, however many there are. */
const PIECE_BYTES = 64 * 1024

/** Reads the records of a file, and checks each. Nothing is believed that the file says of itself. */
export class RecordFile {
  readonly path: string
  readonly size: number
  /** The object that {@link check} has seen last. */
  oid: Oid = 0
  readonly #layout: RecordLayout
  /** Bytes before the data. */
  readonly #headBytes: number
  readonly #window: ReadWindow
  /** What of the window was looked at last, and where in the file it begins. */
  #held: Buffer = NOTHING
  #heldFrom = 0
  /** Where the data, the references and the next record begin, of the record that was looked at last. */
  #data = 0
  #references = 0
  #next = 0

  /**
   * @param size bytes of the file; what comes behind them has been added meanwhile
   * @param windowBytes how much is read at once
   */
  constructor(file: OpenFile, size: number, layout: RecordLayout, windowBytes: number) {
    this.path = file.path
    this.size = size
    this.#layout = layout
    this.#headBytes = layout.lengthBytes + OID_BYTES * layout.oidCopies + 4
    this.#window = new ReadWindow(file, size, windowBytes)
  }

  /** `length` bytes, which must be there. They are valid until anything else is read. */
  bytes(position: number, length: number): Buffer {
    const at = this.#hold(position, length)
    return this.#held.subarray(at, at + length)
  }

  int4(position: number): number {
    const at = this.#hold(position, 4)
    return this.#held.readUInt32BE(at)
  }

  /** Inexact above 2^53, which no oid, offset or length is. */
  int8(position: number): number {
    const at = this.#hold(position, 8)
    return readInt8(this.#held, at)
  }

  /** Returns where in `#held` there are `length` bytes of the file, which must be there. No view is made for each. */
  #hold(position: number, length: number): number {
    const from = this.#heldFrom
    if (position >= from && position + length <= from + this.#held.length) return position - from
    // Forgotten first, because a read that fails may leave anything in the window.
    this.#held = NOTHING
    this.#held = this.#window.ahead(position, length)
    this.#heldFrom = position
    if (this.#held.length >= length) return 0
    throw this.damaged(position + this.#held.length, 'the file ends here, and should not.')
  }

  /**
   * Checks one record, all but its data. Returns where the next begins: behind the end of the file if the record is cut
   * off there, whose remaining part makes sense.
   *
   * @param limit where the record must end at the latest
   * @throws CorruptionError
   */
  check(position: number, limit: number): number {
    const fault = this.#fault(position, limit)
    if (fault !== undefined) throw this.damaged(position, fault)
    return this.#next
  }

  /** Whether there is at least the length of a record, and all that is there of it makes sense. */
  isRecord(position: number): boolean {
    const { lengthBytes } = this.#layout
    if (position + lengthBytes > this.size || this.bytes(position, lengthBytes).every((byte) => byte === 0))
      return false
    return this.#fault(position, Infinity) === undefined
  }

  /** Reads one record that has been checked before. */
  read(oid: Oid, position: number): DurusObject {
    this.check(position, this.size)
    if (this.oid !== oid) {
      throw this.damaged(position, `there is no longer object ${oid}. Has the file been changed meanwhile?`)
    }
    const bytes = this.#next - this.#data
    if (bytes > MAX_RECORD_BYTES) {
      throw new PerdureError(
        'PERDURE_RECORD_TOO_LARGE',
        `Object ${oid} takes ${bytes} bytes in ${this.path} (at byte ${position}); an object may take ${MAX_RECORD_BYTES}.`,
        { details: { oid, path: this.path, offset: position, bytes } },
      )
    }
    const at = this.#hold(this.#data, bytes)
    const dataBytes = this.#references - this.#data
    const data = new Uint8Array(dataBytes)
    this.#held.copy(data, 0, at, at + dataBytes)
    const references: Oid[] = []
    for (let i = dataBytes; i < bytes; i += OID_BYTES) references.push(readInt8(this.#held, at + i))
    return { oid, data, references, offset: position }
  }

  damaged(offset: number, what: string): CorruptionError {
    return new CorruptionError(this.path, offset, what)
  }

  /** Takes a record apart. Returns what is wrong with it, if anything is. */
  #fault(position: number, limit: number): string | undefined {
    const { lengthBytes, oidCopies } = this.#layout
    const dataFrom = position + this.#headBytes
    this.#data = dataFrom
    this.#next = dataFrom + 1
    if (dataFrom > this.size) return dataFrom > limit ? 'there is too little room for a record.' : undefined
    const at = this.#hold(position, this.#headBytes)
    const held = this.#held
    const length = lengthBytes === 4 ? held.readUInt32BE(at) : readInt8(held, at)
    const oid = readInt8(held, at + lengthBytes)
    this.oid = oid
    this.#references = dataFrom + held.readUInt32BE(at + this.#headBytes - 4)
    this.#next = position + lengthBytes + length
    if (this.#next > limit) return `a record of ${length} bytes is longer than what holds it.`
    if (oid > MAX_ID) return `a record begins with ${oid}, which no object can have as its oid.`
    if (oidCopies === 2 && readInt8(held, at + lengthBytes + OID_BYTES) !== oid) {
      return `a record names two objects, ${oid} and another one.`
    }
    if (this.#references === dataFrom) return `the record of object ${oid} has no data.`
    if (this.#references > this.#next) return `the data of object ${oid} is longer than its record.`
    if ((this.#next - this.#references) % OID_BYTES !== 0) return `the references of object ${oid} are cut off.`
    return this.#faultyReference()
  }

  /** Looks at all references, as far as they are in the file. */
  #faultyReference(): string | undefined {
    const end = Math.min(this.#next, this.size)
    for (let from = this.#references; from < end; from += PIECE_BYTES) {
      const bytes = Math.min(PIECE_BYTES, end - from)
      const start = this.#hold(from, bytes)
      for (let at = start; at + OID_BYTES <= start + bytes; at += OID_BYTES) {
        const oid = readInt8(this.#held, at)
        if (oid > MAX_ID) return `object ${this.oid} refers to ${oid}, which no object can have as its oid.`
      }
    }
    return undefined
  }
}

/** Inexact above 2^53, which no oid, offset or length is. */
export function readInt8(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

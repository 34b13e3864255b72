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
    const bytes = this.#window.bytes(position, length)
    if (bytes.length < length) throw this.damaged(position + bytes.length, 'the file ends here, and should not.')
    return bytes
  }

  int4(position: number): number {
    return this.bytes(position, 4).readUInt32BE(0)
  }

  /** Inexact above 2^53, which no oid, offset or length is. */
  int8(position: number): number {
    return readInt8(this.bytes(position, 8), 0)
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
    const view = this.bytes(this.#data, bytes)
    const dataBytes = this.#references - this.#data
    const references: Oid[] = []
    for (let at = dataBytes; at < bytes; at += OID_BYTES) references.push(readInt8(view, at))
    return { oid, data: Uint8Array.prototype.slice.call(view, 0, dataBytes), references, offset: position }
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
    const head = this.bytes(position, this.#headBytes)
    const length = lengthBytes === 4 ? head.readUInt32BE(0) : readInt8(head, 0)
    const oid = readInt8(head, lengthBytes)
    this.oid = oid
    this.#references = dataFrom + head.readUInt32BE(this.#headBytes - 4)
    this.#next = position + lengthBytes + length
    if (this.#next > limit) return `a record of ${length} bytes is longer than what holds it.`
    if (oid > MAX_ID) return `a record begins with ${oid}, which no object can have as its oid.`
    if (oidCopies === 2 && readInt8(head, lengthBytes + OID_BYTES) !== oid) {
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
      const piece = this.bytes(from, Math.min(PIECE_BYTES, end - from))
      for (let at = 0; at + OID_BYTES <= piece.length; at += OID_BYTES) {
        const oid = readInt8(piece, at)
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

import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { ReferenceList } from '../core/record.js'
import { RECORD_HEADER_BYTES } from './format.js'
import type { OpenFile } from './journal-file.js'
import { checkKeptRecord } from './kept-record.js'
import { type PackTables, UNREAD } from './pack-tables.js'
import { RunReader } from './run-reader.js'

/** Reads references for which there was no memory from the journal, a step of the mark phase at a time. */
export class UnreadReferences {
  readonly #tables: PackTables
  readonly #path: string
  readonly #reader: RunReader
  readonly #list = new ReferenceList()
  readonly #references = new Map<Oid, Float64Array>()

  constructor(tables: PackTables, journal: OpenFile) {
    this.#tables = tables
    this.#path = journal.path
    this.#reader = new RunReader(journal)
  }

  /**
   * Reads the references of a part of the order, in the order of the journal.
   *
   * @throws CorruptionError, PerdureError `PERDURE_DECODE`
   */
  read(from: number, to: number): void {
    const { order, places, positions } = this.#tables
    this.#references.clear()
    const unread = order.subarray(from, to).filter((oid) => places[oid] === UNREAD)
    const offsets = Float64Array.from(unread, (oid) => positions[oid] as number).sort()
    this.#reader.read(offsets, (offset, bytes, view, start, length) => {
      const oid = checkKeptRecord(this.#path, this.#tables, offset, { bytes, view, start, length })
      this.#decode(oid, bytes, start + RECORD_HEADER_BYTES, length)
      const known = this.#list.oids.slice(0, this.#list.count).filter((target) => (positions[target] ?? 0) > 0)
      this.#references.set(oid, known)
    })
  }

  #decode(oid: Oid, bytes: Buffer, data: number, length: number): void {
    try {
      this.#list.read(bytes, data, data + length)
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      throw new PerdureError(error.code, `Object ${oid} cannot be packed. ${error.message}`, {
        details: { ...error.details, oid, path: this.#path },
        cause: error,
      })
    }
  }

  /** What {@link read} has read of an object. */
  of(oid: Oid): Float64Array {
    return this.#references.get(oid) ?? new Float64Array()
  }
}

import { MAX_RECORD_BYTES, RECORD_HEADER_BYTES, recordLength, viewOf } from './format.js'
import type { OpenFile } from './journal-file.js'

/** Records that are no further apart are read together: reading what is between them costs less than another read. */
const GAP_BYTES = 16 * 1024
/** At most this much is read at once, if no record is longer. */
const RUN_BYTES = 1024 * 1024
/** Read behind where the last record of a run begins, in the hope that it is not longer. */
const LAST_RECORD_BYTES = 1024

/** A record in memory: it begins at `start` of `bytes`. Valid only during the call. Length 0: the file ends within it. */
export type RunVisitor = (offset: number, bytes: Buffer, view: DataView, start: number, length: number) => void

/** Reads records of which the offsets are known, those that are near each other at once. */
export class RunReader {
  readonly #file: OpenFile
  #buffer = Buffer.allocUnsafeSlow(RUN_BYTES)
  #view = viewOf(this.#buffer)
  #from = 0
  #to = 0

  constructor(file: OpenFile) {
    this.#file = file
  }

  /** @param offsets ascending */
  read(offsets: Float64Array, visit: RunVisitor): void {
    this.#from = this.#to = 0
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i] as number
      if (offset + RECORD_HEADER_BYTES > this.#to) this.#fill(offset, this.#runFrom(offsets, i))
      let length = this.#lengthAt(offset)
      if (offset + RECORD_HEADER_BYTES + length > this.#to) {
        this.#fill(offset, Math.max(RECORD_HEADER_BYTES + length, this.#runFrom(offsets, i)))
        if (offset + RECORD_HEADER_BYTES + length > this.#to) length = 0
      }
      visit(offset, this.#buffer, this.#view, offset - this.#from, length)
    }
  }

  /** How many bytes from the record on are to be read at once. */
  #runFrom(offsets: Float64Array, first: number): number {
    const begin = offsets[first] as number
    let last = begin
    for (let i = first + 1; i < offsets.length; i++) {
      const next = offsets[i] as number
      if (next - last > GAP_BYTES || next - begin > RUN_BYTES - LAST_RECORD_BYTES) break
      last = next
    }
    return last - begin + LAST_RECORD_BYTES
  }

  /** An impossible length is taken for 0. */
  #lengthAt(offset: number): number {
    if (offset + RECORD_HEADER_BYTES > this.#to) return 0
    const length = recordLength(this.#view, offset - this.#from)
    return length > MAX_RECORD_BYTES ? 0 : length
  }

  #fill(offset: number, length: number): void {
    if (length > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(length)
      this.#view = viewOf(this.#buffer)
    }
    this.#from = offset
    this.#to = offset + this.#file.read(this.#buffer, 0, length, offset)
  }
}

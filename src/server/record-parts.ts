import { PerdureError } from '../core/errors.js'
import type { StoredRecord } from '../core/storage.js'
import { PART_BYTES } from './output.js'
import type { FrameWriter } from './protocol/frame-writer.js'
import { writeRecord } from './protocol/record-codecs.js'
import { serverCodecs } from './protocol/server-codecs.js'

/** What a part with a single record takes besides its data, at most. */
const OVERHEAD_BYTES = 64

/**
 * Packs records into parts of about {@link PART_BYTES}. A record's data are copied at once, so they may lie in memory
 * that the storage uses again.
 */
export class RecordParts {
  readonly #writer: FrameWriter
  readonly #request: number
  readonly #limitBytes: number
  #isBegun = false
  #expectedBytes = 0

  /** @param writer not used for anything else before the last part has been made */
  constructor(request: number, limitBytes: number, writer: FrameWriter) {
    this.#request = request
    this.#limitBytes = limitBytes
    this.#writer = writer
  }

  /** Whether {@link take} should come before the next record. */
  get isFull(): boolean {
    return this.#isBegun && this.#writer.frameBytes >= PART_BYTES
  }

  /** Whether a record fits into the part that has been begun, or is alone in it. */
  fits(record: StoredRecord): boolean {
    return !this.#isBegun || this.#writer.frameBytes + record.data.length + OVERHEAD_BYTES <= this.#limitBytes
  }

  /** @throws PerdureError `PERDURE_LIMIT` if the record is longer than a frame may be */
  add(record: StoredRecord | undefined): void {
    if (record !== undefined) assertSendable(record, this.#limitBytes)
    if (!this.#isBegun) {
      this.#writer.begin(serverCodecs.recordsPart.kind, this.#request, this.#expectedBytes)
      this.#isBegun = true
    }
    writeRecord(this.#writer, record)
  }

  /** The part, or undefined if no record was added since the last one. */
  take(): Buffer | undefined {
    if (!this.#isBegun) return undefined
    this.#isBegun = false
    // Where one part is full, the next one probably will be.
    if (this.#writer.frameBytes >= PART_BYTES) this.#expectedBytes = PART_BYTES + PART_BYTES / 8
    return this.#writer.end()
  }
}

/** @throws PerdureError `PERDURE_LIMIT` if the record is longer than a frame may be */
export function assertSendable({ oid, data }: StoredRecord, limitBytes: number): void {
  const bytes = data.length + OVERHEAD_BYTES
  if (bytes <= limitBytes) return
  throw new PerdureError(
    'PERDURE_LIMIT',
    `Object ${oid} takes ${data.length} bytes, more than the client takes in one frame. Raise the limit 'frameBytes'.`,
    { details: { oid, bytes, limit: limitBytes } },
  )
}

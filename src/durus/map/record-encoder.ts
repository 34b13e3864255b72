import { writeRecordHead } from '../../core/record.js'
import { RecordBuffer } from '../../core/record-buffer.js'
import type { Reference } from '../../core/reference.js'
import type { ReferenceWriter, Serializer } from '../../core/serializer.js'
import type { MappedObject } from './object-mapper.js'

/** Makes records of mapped objects. They stay as they are, however many follow. */
export class RecordEncoder implements ReferenceWriter {
  readonly #serializer: Serializer
  readonly #buffer = new RecordBuffer()
  readonly #positions = new Map<Reference, number>()

  constructor(serializer: Serializer) {
    this.#serializer = serializer
  }

  encode({ className, references, state }: MappedObject): Uint8Array {
    const positions = this.#positions
    positions.clear()
    for (let i = 0; i < references.length; i++) positions.set(references[i] as Reference, i)
    writeRecordHead(this.#buffer, className, references)
    this.#buffer.bytes(this.#serializer.encode(state, this))
    return this.#buffer.finish()
  }

  position(reference: Reference): number {
    return this.#positions.get(reference) as number
  }
}

import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import { type DecodedRecord, decodeRecord } from '../core/record.js'
import type { Reference } from '../core/reference.js'
import type { ReferenceWriter, Serializer, State } from '../core/serializer.js'
import { importSerializer } from '../workers/import-serializer.js'
import { blame } from './blame.js'
import { CanonicalObject } from './canonical-object.js'
import { HashSum } from './hash-sum.js'
import { ChunkBuilder, type RecordChunk, recordAt } from './record-chunk.js'

/** From so many references on a Map finds one faster than a search. */
const MANY_REFERENCES = 16

/** What is to be done with some records, in whatever thread. */
export interface TranscodeTask {
  readonly chunk: RecordChunk
  /** Name of the serializer of the states. */
  readonly from: string
  /** Name of the one for the records that come back. Undefined: none come back. */
  readonly to?: string | undefined
  /** Whether the objects are hashed. */
  readonly hashed: boolean
  /** Modules to import so that the serializers are known. */
  readonly modules: readonly string[]
}

export interface TranscodeResult {
  /** With the same oids in the same order; undefined if no records were asked for. */
  readonly chunk: RecordChunk | undefined
  readonly oids: Float64Array<ArrayBuffer>
  /** Size of the records as they were, in bytes. */
  readonly bytes: number
  /** Of the objects' hashes. */
  readonly sum: Uint8Array
  /** Oids of the objects that are referred to; one may occur more than once. */
  readonly references: Float64Array<ArrayBuffer>
}

/**
 * Decodes states and encodes them again, and hashes the objects.
 *
 * @throws PerdureError with `details.oid`: `PERDURE_DECODE` for what cannot be decoded, `PERDURE_UNSTORABLE` for what the
 *   other serializer cannot encode; `PERDURE_SERIALIZER`
 */
export async function transcode({ chunk, from, to, hashed, modules }: TranscodeTask): Promise<TranscodeResult> {
  // Bytes that are to stay what they are need no decoder.
  const target = to === undefined || to === from ? undefined : await importSerializer({ serializer: to, modules })
  const opaque = from === PICKLE
  const needed = (hashed && !opaque) || target !== undefined
  const source = needed ? await importSerializer({ serializer: from, modules }) : undefined
  const work = new Transcoding(source, target, hashed, chunk)
  work.run()
  const records = to === undefined ? undefined : (work.records ?? chunk)
  return {
    chunk: records,
    oids: records?.oids ?? chunk.oids,
    bytes: chunk.data.length,
    sum: work.sum.toBytes(),
    references: Float64Array.from(work.references),
  }
}

class Transcoding {
  readonly sum = new HashSum()
  readonly references: Oid[] = []
  readonly #source: Serializer | undefined
  readonly #target: Serializer | undefined
  readonly #canonical: CanonicalObject | undefined
  readonly #chunk: RecordChunk
  readonly #records: ChunkBuilder | undefined
  readonly #positions = new Positions()

  constructor(source: Serializer | undefined, target: Serializer | undefined, hashed: boolean, chunk: RecordChunk) {
    this.#source = source
    this.#target = target
    this.#canonical = hashed ? new CanonicalObject() : undefined
    this.#chunk = chunk
    const { oids, data } = chunk
    this.#records = target === undefined ? undefined : new ChunkBuilder(oids.length, Math.ceil(data.length * 1.25))
  }

  get records(): RecordChunk | undefined {
    return this.#records?.take()
  }

  run(): void {
    const { oids } = this.#chunk
    for (let i = 0; i < oids.length; i++) this.#object(oids[i] as Oid, recordAt(this.#chunk, i))
  }

  #object(oid: Oid, data: Uint8Array): void {
    const record = blame(oid, 'The record', 'PERDURE_DECODE', () => decodeRecord(data))
    for (const reference of record.references) this.references.push(reference.oid)
    const { className, references, state: bytes } = record
    const source = this.#source
    if (source === undefined) {
      if (this.#canonical !== undefined)
        this.sum.addHashOf(this.#canonical.writeOpaque(oid, className, references, bytes))
      return
    }
    const state = blame(oid, 'The state', 'PERDURE_DECODE', () => source.decode(bytes, record))
    if (this.#canonical !== undefined) this.sum.addHashOf(this.#canonical.write(oid, className, references, state))
    if (this.#records !== undefined) {
      // Class and references stay what they are.
      const head = data.subarray(0, data.length - bytes.length)
      this.#records.add(oid, head, this.#encode(oid, record, state))
    }
  }

  #encode(oid: Oid, { references }: DecodedRecord, state: State): Uint8Array {
    const positions = this.#positions
    positions.use(references)
    return blame(oid, 'The state', 'PERDURE_UNSTORABLE', () => (this.#target as Serializer).encode(state, positions))
  }
}

/** Finds the references of one record after another. */
class Positions implements ReferenceWriter {
  #references: readonly Reference[] = []
  #many: Map<Reference, number> | undefined

  use(references: readonly Reference[]): void {
    this.#references = references
    this.#many = references.length < MANY_REFERENCES ? undefined : new Map(references.map((each, i) => [each, i]))
  }

  position(reference: Reference): number {
    const found = this.#many === undefined ? this.#references.indexOf(reference) : this.#many.get(reference)
    if (found !== undefined && found >= 0) return found
    throw new PerdureError('PERDURE_UNSTORABLE', 'The state holds a reference that the record does not list.')
  }
}

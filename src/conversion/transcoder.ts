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
import { ChunkBuilder, type RecordChunk } from './record-chunk.js'

/** From so many references on a Map finds one faster than a search. */
const MANY_REFERENCES = 16

/** What is to be done with records, in whatever thread. */
export interface TranscodeOptions {
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
  /** The records, in the order in which they came; undefined if none were asked for. */
  readonly chunk: RecordChunk | undefined
  readonly oids: Float64Array<ArrayBuffer>
  /** Size of the records as they were, in bytes. */
  readonly bytes: number
  /** Of the objects' hashes. */
  readonly sum: Uint8Array
  /** Oids of the objects that are referred to; one may occur more than once. */
  readonly references: Float64Array<ArrayBuffer>
}

/** Decodes states and encodes them again, and hashes the objects. */
export class Transcoder {
  readonly #source: Serializer | undefined
  readonly #target: Serializer | undefined
  readonly #canonical: CanonicalObject | undefined
  readonly #records: ChunkBuilder | undefined
  readonly #positions = new Positions()
  readonly #sum = new HashSum()
  readonly #oids: Oid[] = []
  readonly #references: Oid[] = []
  #bytes = 0

  private constructor(
    source: Serializer | undefined,
    target: Serializer | undefined,
    { to, hashed }: TranscodeOptions,
    expectedBytes: number,
  ) {
    this.#source = source
    this.#target = target
    this.#canonical = hashed ? new CanonicalObject() : undefined
    this.#records = to === undefined ? undefined : new ChunkBuilder(expectedBytes)
  }

  /**
   * @param expectedBytes size of all records, more or less
   * @throws PerdureError `PERDURE_SERIALIZER`
   */
  static async create(options: TranscodeOptions, expectedBytes: number): Promise<Transcoder> {
    const { from, to, hashed, modules } = options
    // Bytes that are to stay what they are need no decoder.
    const target = to === undefined || to === from ? undefined : await importSerializer({ serializer: to, modules })
    const needed = (hashed && from !== PICKLE) || target !== undefined
    const source = needed ? await importSerializer({ serializer: from, modules }) : undefined
    return new Transcoder(source, target, options, expectedBytes)
  }

  /**
   * @param data an encoded record; it may change after the call
   * @throws PerdureError with `details.oid`: `PERDURE_DECODE` for what cannot be decoded, `PERDURE_UNSTORABLE` for what the
   *   other serializer cannot encode
   */
  add(oid: Oid, data: Uint8Array): void {
    this.#oids.push(oid)
    this.#bytes += data.length
    const record = blame(oid, 'The record', 'PERDURE_DECODE', () => decodeRecord(data))
    for (const reference of record.references) this.#references.push(reference.oid)
    const source = this.#source
    const state = source && blame(oid, 'The state', 'PERDURE_DECODE', () => source.decode(record.state, record))
    if (this.#canonical !== undefined) this.#sum.addHashOf(canonicalForm(this.#canonical, oid, record, state))
    if (this.#records === undefined) return
    if (this.#target === undefined || state === undefined) {
      this.#records.add(oid, data)
    } else {
      // Class and references stay what they are.
      const head = data.subarray(0, data.length - record.state.length)
      this.#records.add(oid, head, this.#encode(this.#target, oid, record, state))
    }
  }

  #encode(target: Serializer, oid: Oid, { references }: DecodedRecord, state: State): Uint8Array {
    const positions = this.#positions
    positions.use(references)
    return blame(oid, 'The state', 'PERDURE_UNSTORABLE', () => target.encode(state, positions))
  }

  /** What has become of all that was added. Nothing can be added afterwards. */
  finish(): TranscodeResult {
    const chunk = this.#records?.take()
    return {
      chunk,
      oids: chunk?.oids ?? Float64Array.from(this.#oids),
      bytes: this.#bytes,
      sum: this.#sum.toBytes(),
      references: Float64Array.from(this.#references),
    }
  }
}

function canonicalForm(
  canonical: CanonicalObject,
  oid: Oid,
  { className, references, state: bytes }: DecodedRecord,
  state: State | undefined,
): Uint8Array {
  return state === undefined
    ? canonical.writeOpaque(oid, className, references, bytes)
    : canonical.write(oid, className, references, state)
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

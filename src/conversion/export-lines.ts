import { PICKLE } from '../core/pickle.js'
import { decodeRecord } from '../core/record.js'
import type { Reference } from '../core/reference.js'
import type { Serializer } from '../core/serializer.js'
import type { Storage, StoredRecord } from '../core/storage.js'
import { devalue } from '../serializers/devalue.js'
import { loadSerializer } from '../serializers/registry.js'
import { blame } from './blame.js'
import { CanonicalObject } from './canonical-object.js'
import { EXPORT_FORMAT, EXPORT_VERSION, type ExportEnd, type ExportTitle } from './export-format.js'
import { HashSum } from './hash-sum.js'

/**
 * All objects of a storage as lines of JSON, each with its line end: see docs/export.md. They are of one snapshot.
 *
 * @param signal stops the work, which then fails with the signal's reason
 * @throws PerdureError `PERDURE_SERIALIZER` for a serializer that is not there, `PERDURE_DECODE` with `details.oid` for a
 *   state that it cannot read, and what the storage throws
 */
export async function* exportLines(storage: Storage, signal?: AbortSignal): AsyncGenerator<string, void> {
  const serializer = storage.serializer === PICKLE ? undefined : await loadSerializer(storage.serializer)
  const writer = new LineWriter(serializer)
  const snapshot = storage.snapshot()
  try {
    const { nextOid } = storage.statistics()
    const known = typeof nextOid === 'number' ? { nextOid } : {}
    const title: ExportTitle = {
      format: EXPORT_FORMAT,
      version: EXPORT_VERSION,
      tid: snapshot.tid,
      ...(serializer === undefined && { serializer: PICKLE }),
      ...known,
    }
    yield `${JSON.stringify(title)}\n`
    for await (const record of snapshot.records()) {
      signal?.throwIfAborted()
      yield writer.object(record)
    }
    const end: ExportEnd = { objects: writer.objects, ...known, hash: writer.hash }
    yield `${JSON.stringify(end)}\n`
  } finally {
    snapshot.release()
  }
}

class LineWriter {
  objects = 0
  readonly #serializer: Serializer | undefined
  readonly #canonical = new CanonicalObject()
  readonly #sum = new HashSum()

  constructor(serializer: Serializer | undefined) {
    this.#serializer = serializer
  }

  get hash(): string {
    return this.#sum.toString()
  }

  object({ oid, data }: StoredRecord): string {
    this.objects++
    const record = blame(oid, 'The record', 'PERDURE_DECODE', () => decodeRecord(data))
    const { className, references, state: bytes } = record
    const listed = references.map((reference) => [reference.oid, reference.className])
    const head = JSON.stringify({ oid, class: className, references: listed }).slice(0, -1)
    const serializer = this.#serializer
    if (serializer === undefined) {
      this.#sum.addHashOf(this.#canonical.writeOpaque(oid, className, references, bytes))
      return `${head},"bytes":"${Buffer.from(bytes).toString('base64')}"}\n`
    }
    const state = blame(oid, 'The state', 'PERDURE_DECODE', () => serializer.decode(bytes, record))
    this.#sum.addHashOf(this.#canonical.write(oid, className, references, state))
    const positions = new Map<Reference, number>(references.map((reference, i) => [reference, i]))
    const position = (reference: Reference) => positions.get(reference) as number
    const text = blame(oid, 'The state', 'PERDURE_UNSTORABLE', () => devalue.encode(state, { position }))
    // What devalue has written is JSON.
    return `${head},"state":${Buffer.from(text).toString()}}\n`
  }
}

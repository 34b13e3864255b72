import { PerdureError } from './core/errors.js'
import type { Oid } from './core/oid.js'
import { decodeRecord } from './core/record.js'
import type { Reference } from './core/reference.js'
import type { Snapshot, Storage } from './core/storage.js'
import { devalue } from './serializers/devalue.js'
import { loadSerializer } from './serializers/registry.js'

/** What the first line says of itself. */
export const EXPORT_FORMAT = 'perdure-export'
export const EXPORT_VERSION = 1

/** The first line of an export. */
export interface ExportTitle {
  readonly format: typeof EXPORT_FORMAT
  readonly version: number
  /** The transaction that the export shows. */
  readonly tid: number
}

/** A line of an export: an object. See docs/export.md. */
export interface ExportedObject {
  readonly oid: Oid
  readonly class: string
  readonly references: readonly (readonly [oid: Oid, className: string])[]
  /** As the serializer `devalue` writes it. */
  readonly state: unknown
}

/** The last line of an export, without which it is not whole. */
export interface ExportEnd {
  readonly objects: number
}

/**
 * All objects of a storage as lines of JSON, each with its line end: see docs/export.md. They are of one snapshot.
 *
 * @param signal stops the work, which then fails with the signal's reason
 * @throws PerdureError `PERDURE_SERIALIZER` for a serializer that is not there, `PERDURE_DECODE` for a state that it
 *   cannot read, and what the storage throws
 */
export async function* exportLines(storage: Storage, signal?: AbortSignal): AsyncGenerator<string, void> {
  const serializer = await loadSerializer(storage.serializer)
  const snapshot = storage.snapshot()
  let objects = 0
  try {
    const title: ExportTitle = { format: EXPORT_FORMAT, version: EXPORT_VERSION, tid: snapshot.tid }
    yield `${JSON.stringify(title)}\n`
    for await (const { oids } of snapshot.scan()) {
      for (const oid of oids) {
        signal?.throwIfAborted()
        yield objectLine(snapshot, oid, serializer)
        objects++
      }
    }
    const end: ExportEnd = { objects }
    yield `${JSON.stringify(end)}\n`
  } finally {
    snapshot.release()
  }
}

function objectLine(snapshot: Snapshot, oid: Oid, serializer: typeof devalue): string {
  const stored = snapshot.load(oid)
  if (stored === undefined) {
    throw new PerdureError('PERDURE_OBJECT_MISSING', `Object ${oid} is listed and cannot be loaded.`, {
      details: { oid },
    })
  }
  const record = decodeRecord(stored.data)
  const positions = new Map<Reference, number>(record.references.map((reference, i) => [reference, i]))
  const state = devalue.encode(serializer.decode(record.state, record), {
    position: (reference) => positions.get(reference) as number,
  })
  const references = record.references.map(({ oid: target, className }) => [target, className])
  const head = JSON.stringify({ oid, class: record.className, references })
  // What devalue has written is JSON.
  return `${head.slice(0, -1)},"state":${Buffer.from(state).toString()}}\n`
}

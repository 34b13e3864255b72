// Knows the kinds of storage.
import './open-path.js'
import { PerdureError } from './core/errors.js'
import type { Serializer } from './core/serializer.js'
import type { RawImportReport } from './durus/import-raw.js'
import type { DurusMapping } from './durus/map/class-map.js'
import type { ChangeSummary } from './durus/map/import-report.js'
import type { ImportedClass } from './durus/map/map-source.js'
import { openDurusFile } from './durus/open.js'
import type { DurusFormat, DurusSource } from './durus/source.js'
import { checkOptions } from './options.js'
import { loadSerializer } from './serializers/registry.js'
import { findStorageKind, type StorageKind } from './storages/registry.js'

/** Progress of {@link importDurus}. */
export interface DurusImportProgress {
  /** What is being done: `survey` and then `map`; or, of pickles kept as they are, `copy` and then `check`. */
  readonly phase: 'survey' | 'map' | 'copy' | 'check'
  readonly objects: number
  readonly objectsTotal: number
}

export interface DurusImportOptions {
  /** Kind of the new database. Default: file. */
  readonly storage?: string | undefined
  /** Of the new database. Default: msgpack. */
  readonly serializer?: string | undefined
  /** What becomes of classes and of other objects. */
  readonly mapping?: DurusMapping | undefined
  /**
   * True keeps every object the pickle it is, for Durus clients: no Perdure program can open the new database, but a
   * Perdure server can serve it by protocol 1. Neither `serializer` nor `mapping` has a meaning then.
   */
  readonly raw?: boolean | undefined
  /** Called now and then, and once at the end of each phase. */
  readonly onProgress?: ((progress: DurusImportProgress) => void) | undefined
  /** Stops the work; the promise then rejects with the signal's reason, and nothing is left. */
  readonly signal?: AbortSignal | undefined
}

/** What has become of a Durus file. */
export interface DurusImportReport {
  readonly format: DurusFormat
  /** How many objects the new database has. Nodes of BTrees are made anew, and are fewer than before. */
  readonly objects: number
  /** Size of their records, in bytes. */
  readonly bytes: number
  /** Objects that cannot be reached from the root, and were left out: what Durus's pack would have removed. */
  readonly unreachable: number
  /** Bytes at the end of the file that belong to a transaction that was never completed, and were left out. */
  readonly tornBytes: number
  readonly classes: readonly ImportedClass[]
  /** What could not be mapped one to one, with its place, by kind. See docs/durus.md. */
  readonly changes: readonly ChangeSummary[]
}

const OPTIONS = ['storage', 'serializer', 'mapping', 'raw', 'onProgress', 'signal']

/**
 * Makes a database of a Durus file: of FileStorage, FileStorage2 or SqliteStorage, packed or not, with a torn tail or
 * without. Objects keep their oids. No code of the pickles is run. The source is only read. The new database is at
 * `target` only when it is whole; if anything fails, nothing is left there.
 *
 * ```ts
 * const { classes, changes } = await importDurus('bank.durus', 'bank.perdure', {
 *   mapping: { classes: { 'bank.model.Account': Account } },
 * })
 * ```
 *
 * @param path of the Durus file
 * @param target path of the new database; there must be nothing
 * @throws PerdureError `PERDURE_NOT_A_DATABASE` if it is no Durus file; `PERDURE_CORRUPTION`; `PERDURE_DECODE` for a pickle
 *   that makes no sense, with `details.oid` and `details.offset`; `PERDURE_UNSTORABLE` for what no state can hold, with
 *   `details.oid` and `details.path`; `PERDURE_OBJECT_MISSING` without a root; `PERDURE_UNSUPPORTED` if the root does not
 *   become a PersistentMap; `PERDURE_CLASS` and `PERDURE_ARGUMENT` for a wrong mapping, or if something is at `target`;
 *   `PERDURE_SERIALIZER`, `PERDURE_RECORD_TOO_LARGE`, `PERDURE_LIMIT`, `PERDURE_LOCKED`, `PERDURE_NOT_FOUND`,
 *   `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`
 */
export async function importDurus(
  path: string,
  target: string,
  options: DurusImportOptions = {},
): Promise<DurusImportReport> {
  checkOptions('importDurus', options, OPTIONS)
  const { storage = 'file', serializer, mapping, raw = false } = options
  const kind = findStorageKind(storage)
  if (raw && (serializer !== undefined || mapping !== undefined)) {
    throw new PerdureError('PERDURE_ARGUMENT', 'Pickles that are kept as they are have no serializer and no mapping.')
  }
  const chosen = raw ? undefined : await loadSerializer(serializer ?? 'msgpack')
  const source = await openDurusFile(path)
  try {
    if (chosen === undefined) return await importRaw(source, target, kind, options)
    return await importAs(chosen, source, target, kind, options)
  } finally {
    source.close()
  }
}

async function importAs(
  serializer: Serializer,
  source: DurusSource,
  target: string,
  kind: StorageKind,
  { mapping, onProgress, signal }: DurusImportOptions,
): Promise<DurusImportReport> {
  const { importMapped } = await import('./durus/import-mapped.js')
  return {
    format: source.format,
    ...(await importMapped(source, target, { kind, serializer, mapping, onProgress, signal })),
  }
}

async function importRaw(
  source: DurusSource,
  target: string,
  kind: StorageKind,
  { onProgress, signal }: DurusImportOptions,
): Promise<DurusImportReport> {
  const { importDurusRaw } = await import('./durus/import-raw.js')
  const report = await importDurusRaw(source, target, {
    kind,
    ...(onProgress !== undefined && { onProgress }),
    ...(signal !== undefined && { signal }),
  })
  const { objects, bytes, tornBytes } = report
  const classes = Array.from(report.classes, ([name, count]) => ({ pythonName: name, className: name, objects: count }))
  return { format: source.format, objects, bytes, unreachable: 0, tornBytes, classes, changes: dangling(report) }
}

function dangling({ dangling: known, danglingCount: count }: RawImportReport): ChangeSummary[] {
  if (count === 0) return []
  const examples = known.map(({ oid, reference }) => ({
    oid,
    className: '',
    path: '',
    found: `a reference to object ${reference}, which does not exist`,
    stored: 'the same',
  }))
  return [{ kind: 'missing-object', count, examples }]
}

import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BulkWriter } from '../conversion/bulk-writer.js'
import { checkReferences } from '../conversion/check-references.js'
import { Draft } from '../conversion/draft.js'
import { addChunk, type RecordChunk } from '../conversion/record-chunk.js'
import type { Serializer } from '../core/serializer.js'
import type { StorageKind } from '../storages/registry.js'
import type { DurusMapping } from './map/class-map.js'
import type { ChangeSummary } from './map/import-report.js'
import { DurusMapper, type ImportedClass } from './map/map-source.js'
import { RecordEncoder } from './map/record-encoder.js'
import { checkOids } from './oid-limit.js'
import type { DurusSource } from './source.js'

/** Fewer objects are mapped before threads have started. */
const THREADS_FROM = 5000

/** So many objects between two turns of the event loop. */
const OBJECTS_PER_TURN = 1024

export interface MappedImportProgress {
  /** `survey` finds the objects that can be reached, `map` reads them and writes them anew. */
  readonly phase: 'survey' | 'map'
  readonly objects: number
  readonly objectsTotal: number
}

export interface MappedImportOptions {
  /** Kind of the new database. */
  readonly kind: StorageKind
  readonly serializer: Serializer
  readonly mapping?: DurusMapping | undefined
  /** Called now and then, and once at the end of each phase. */
  readonly onProgress?: ((progress: MappedImportProgress) => void) | undefined
  /** Stops the work; the promise then rejects with the signal's reason, and nothing is left. */
  readonly signal?: AbortSignal | undefined
  /** From so many objects on, threads map them; given by tests. */
  readonly threadsFrom?: number
}

/** What has become of a Durus database. */
export interface MappedImportReport {
  /** How many objects the new database has. The nodes of BTrees are others, and fewer, than before. */
  readonly objects: number
  /** Size of their records, in bytes. */
  readonly bytes: number
  /** How many objects could be reached from the root of the source. */
  readonly reachable: number
  /** How many could not, and were left out: they are what Durus's pack would have removed. */
  readonly unreachable: number
  /** Bytes at the end of the source that belong to a transaction that was never completed, and were left out. */
  readonly tornBytes: number
  readonly classes: readonly ImportedClass[]
  /** What could not be mapped one to one. */
  readonly changes: readonly ChangeSummary[]
}

/**
 * Makes a database of a Durus file, with objects of Perdure's own. The source stays as it is. The new database is at
 * `target` only when it is whole.
 *
 * @throws as {@link DurusMapper.prepare} and {@link DurusMapper.mapped}, and as `importDurusRaw` and
 *   {@link checkReferences}
 */
export async function importMapped(
  source: DurusSource,
  target: string,
  options: MappedImportOptions,
): Promise<MappedImportReport> {
  const { kind, serializer } = options
  checkOids(source, kind)
  // Who may not read the source may not read the copy.
  const { mode } = statSync(source.path)
  await using draft = await Draft.create(target, kind, { serializer: serializer.name, mode })
  const mapper = await prepare(source, options)
  const writer = new BulkWriter(draft.storage, { note: `imported from Durus (${source.format})` })
  await write(mapper, writer, options)
  await checkReferences(draft.storage, target)
  await draft.finish()
  return {
    objects: writer.objects,
    bytes: writer.bytes,
    reachable: mapper.objects,
    unreachable: source.objects - mapper.objects,
    tornBytes: source.tornBytes,
    classes: mapper.classes(),
    changes: mapper.changes(),
  }
}

async function prepare(source: DurusSource, options: MappedImportOptions): Promise<DurusMapper> {
  const { mapping = {}, onProgress, signal } = options
  const tell = (objects: number) => onProgress?.({ phase: 'survey', objects, objectsTotal: source.objects })
  const mapper = await DurusMapper.prepare(source, mapping, { signal, onObjects: tell })
  tell(source.objects)
  signal?.throwIfAborted()
  return mapper
}

async function write(mapper: DurusMapper, writer: BulkWriter, options: MappedImportOptions): Promise<void> {
  const { onProgress, signal, serializer, threadsFrom = THREADS_FROM } = options
  const encoder = new RecordEncoder(serializer)
  const objectsTotal = mapper.objects
  const store = (chunk: RecordChunk) => addChunk(chunk, (oid, data) => writer.add(oid, data))
  const useThreads = objectsTotal >= threadsFrom && mapper.canUseThreads
  await using pipeline = useThreads ? mapper.pipeline(serializer.name, store) : undefined
  let objects = 0
  for (const pending of mapper.pending()) {
    if (pipeline !== undefined && pending.type.family !== 'tree') {
      const added = pipeline.add(pending.object)
      if (added !== undefined) await added
    } else {
      for (const mapped of mapper.map(pending)) {
        const written = writer.add(mapped.oid, encoder.encode(mapped))
        if (written !== undefined) await written
      }
    }
    if (++objects % OBJECTS_PER_TURN !== 0) continue
    onProgress?.({ phase: 'map', objects, objectsTotal })
    await nextTurn()
    signal?.throwIfAborted()
  }
  await pipeline?.end()
  // What Durus has given out, or taken for a node here, is never given to a new object.
  writer.reserve(mapper.nextOid)
  await writer.flush()
  onProgress?.({ phase: 'map', objects: objectsTotal, objectsTotal })
  signal?.throwIfAborted()
}

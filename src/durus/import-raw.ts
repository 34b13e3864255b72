import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BulkWriter } from '../conversion/bulk-writer.js'
import { Draft } from '../conversion/draft.js'
import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import { classNameOf, encodePickleRecord } from '../core/pickle-record.js'
import type { Storage } from '../core/storage.js'
import { fileError } from '../journal/journal-file.js'
import { fileKind } from '../storages/file-kind.js'
import type { StorageKind } from '../storages/registry.js'
import { checkOids, oidLimit } from './oid-limit.js'
import { OidTable } from './oid-table.js'
import type { DurusObject, DurusSource } from './source.js'

/** So many objects between two turns of the event loop. */
const OBJECTS_PER_TURN = 4096

/** So many references to missing objects are listed. */
const MAX_DANGLING = 100

export interface RawImportProgress {
  /** `copy` writes the objects, `check` compares what was written with the source. */
  readonly phase: 'copy' | 'check'
  readonly objects: number
  readonly objectsTotal: number
}

export interface RawImportOptions {
  /** Kind of the new database. Default: one file of Perdure's own. */
  readonly kind?: StorageKind
  /** Called now and then, and once at the end of each phase. */
  readonly onProgress?: (progress: RawImportProgress) => void
  /** Stops the work; the promise then rejects with the signal's reason, and nothing is left. */
  readonly signal?: AbortSignal
}

export interface RawImportReport {
  readonly objects: number
  /** Size of the records, in bytes. */
  readonly bytes: number
  /** How many objects there are of each class. One that is not pickled as Durus does it is called `pickle`. */
  readonly classes: ReadonlyMap<string, number>
  /** Bytes at the end of the source that belong to a transaction that was never completed, and were left out. */
  readonly tornBytes: number
  /** References to objects that the source does not have. They are kept; at most the first 100 are listed. */
  readonly dangling: readonly { readonly oid: Oid; readonly reference: Oid }[]
  readonly danglingCount: number
}

/**
 * Makes a database of a Durus file in which every object stays the pickle it is, under the same oid, so that a Perdure
 * server can go on serving the Python programs by protocol 1. It is compared with the source, byte for byte, before it
 * is moved to its place.
 *
 * @param target path of the new database; there must be nothing
 * @throws PerdureError `PERDURE_ARGUMENT` if there is something at the target, `PERDURE_CORRUPTION`,
 *   `PERDURE_RECORD_TOO_LARGE`, `PERDURE_LIMIT` for an oid far above the others, for which the storage has no room, `PERDURE_LOCKED`,
 *   `PERDURE_UNSUPPORTED`, `PERDURE_NOT_FOUND`, `PERDURE_PERMISSION`, `PERDURE_NO_SPACE`, `PERDURE_IO`. The source stays
 *   as it is, and nothing is left at the target.
 */
export async function importDurusRaw(
  source: DurusSource,
  target: string,
  options: RawImportOptions = {},
): Promise<RawImportReport> {
  const { kind = fileKind } = options
  checkOids(source, kind)
  await using draft = await Draft.create(target, kind, { serializer: PICKLE, mode: permissionsOf(source.path) })
  const run = new RawImport(source, options)
  await run.copy(draft.storage)
  await run.check(await draft.reopen())
  await draft.finish()
  return run.report
}

/** Who may not read the source may not read the copy. */
function permissionsOf(path: string): number {
  try {
    return statSync(path).mode
  } catch (error) {
    throw fileError(error, path, 'examine')
  }
}

class RawImport {
  readonly #source: DurusSource
  readonly #options: RawImportOptions
  readonly #present = new OidTable()
  readonly #classes = new Map<string, number>()
  readonly #dangling: { oid: Oid; reference: Oid }[] = []
  #danglingCount = 0
  #bytes = 0

  constructor(source: DurusSource, options: RawImportOptions) {
    this.#source = source
    this.#options = options
  }

  get report(): RawImportReport {
    return {
      objects: this.#present.count,
      bytes: this.#bytes,
      classes: this.#classes,
      tornBytes: this.#source.tornBytes,
      dangling: this.#dangling,
      danglingCount: this.#danglingCount,
    }
  }

  async copy(storage: Storage): Promise<void> {
    const writer = new BulkWriter(storage, { note: `imported from ${this.#source.format}` })
    const limit = oidLimit(this.#source)
    await this.#each('copy', ({ oid, data, references }) => {
      const className = classNameOf(data)
      this.#classes.set(className, (this.#classes.get(className) ?? 0) + 1)
      this.#present.set(oid, 1)
      // A new object must not become what an old one refers to. Oids beyond the limit are never reached.
      for (const reference of references) if (reference < limit) writer.reserve(reference + 1)
      return writer.add(oid, encodePickleRecord(data, references))
    })
    await writer.flush()
    this.#bytes = writer.bytes
  }

  /** Compares all objects with what can be read of them, and looks for references that lead nowhere. */
  async check(storage: Storage): Promise<void> {
    const snapshot = storage.snapshot()
    try {
      await this.#each('check', ({ oid, data, references }) => {
        const stored = snapshot.load(oid)
        if (stored === undefined || Buffer.compare(stored.data, encodePickleRecord(data, references)) !== 0) {
          throw new PerdureError('PERDURE_IO', `Object ${oid} was not written as it is. The disk may be failing.`, {
            details: { oid, path: storage.location },
          })
        }
        for (const reference of references) this.#follow(oid, reference)
        return undefined
      })
    } finally {
      snapshot.release()
    }
  }

  #follow(oid: Oid, reference: Oid): void {
    if (this.#present.get(reference) !== undefined) return
    this.#danglingCount++
    if (this.#dangling.length < MAX_DANGLING) this.#dangling.push({ oid, reference })
  }

  async #each(
    phase: RawImportProgress['phase'],
    visit: (object: DurusObject) => Promise<void> | undefined,
  ): Promise<void> {
    const { onProgress, signal } = this.#options
    const objectsTotal = this.#source.objects
    let objects = 0
    for (const oid of this.#source.oids()) {
      const object = this.#source.load(oid)
      const visited = object && visit(object)
      if (visited !== undefined) await visited
      if (++objects % OBJECTS_PER_TURN !== 0) continue
      onProgress?.({ phase, objects, objectsTotal })
      await nextTurn()
      signal?.throwIfAborted()
    }
    onProgress?.({ phase, objects, objectsTotal })
    signal?.throwIfAborted()
  }
}

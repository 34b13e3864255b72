import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import type { Snapshot, Storage } from '../core/storage.js'
import { checkKnown } from '../serializers/registry.js'
import type { StorageKind } from '../storages/registry.js'
import type { WorkerPool } from '../workers/pool.js'
import { BulkWriter } from './bulk-writer.js'
import { type ContentHashProgress, objectsOf, tallyContent } from './content-hash.js'
import { ContentTally, missingObject } from './content-tally.js'
import { type CopiedHistory, checkHistory, copyHistory } from './copy-history.js'
import { Draft } from './draft.js'
import { findDifference } from './find-difference.js'
import { addChunk } from './record-chunk.js'
import { conversionPool, RecordPipeline } from './record-pipeline.js'

/** How far a conversion has come. */
export interface ConvertProgress {
  /** Copying the objects, or all versions of them; reading both databases again to compare them. */
  readonly phase: 'copy' | 'verify'
  /** In this phase; with a history, versions of objects. */
  readonly objects: number
  /** Estimated; 0 where nothing is known. */
  readonly objectsTotal: number
  /** Size of their records, in bytes. */
  readonly bytes: number
}

/** What a conversion has made. */
export interface ConvertResult {
  /** The new database. */
  readonly path: string
  /** Kind of its storage. */
  readonly storage: string
  readonly serializer: string
  readonly objects: number
  /** Size of their records in the old database, in bytes. */
  readonly bytes: number
  /** How many transactions were copied with their time and remarks; 0 without `history`. */
  readonly transactions: number
  /** Of the content of both: see `contentHash`. Undefined if it was not verified. */
  readonly hash: string | undefined
}

/** What is to be made of what. */
export interface ConversionOrder {
  /** Is only read. */
  readonly source: Storage
  /** Where the new database is to be. */
  readonly path: string
  readonly kind: StorageKind
  readonly serializer: string
  /** Permission bits of the source. */
  readonly mode?: number | undefined
  readonly history: boolean
  readonly verify: boolean
  readonly onProgress?: ((progress: ConvertProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Makes a new database of all that a storage holds. See `convert`. */
export async function runConversion(order: ConversionOrder): Promise<ConvertResult> {
  checkOrder(order)
  const { source, path, kind, serializer, mode, signal } = order
  signal?.throwIfAborted()
  const pool = conversionPool()
  const newest = source.snapshot()
  try {
    await using draft = await Draft.create(path, kind, { serializer, mode })
    const result = await new Conversion(order, newest, draft, pool).run()
    signal?.throwIfAborted()
    await draft.finish()
    return result
  } finally {
    newest.release()
    await pool.close()
  }
}

function checkOrder({ source, serializer, history }: ConversionOrder): void {
  const { location } = source
  if (source.serializer === PICKLE && serializer !== PICKLE) {
    throw new PerdureError(
      'PERDURE_SERIALIZER',
      `${location} holds Python pickles, which cannot be converted to ${serializer} one by one. Make a database of them with: perdure db import-durus`,
      { details: { path: location, stored: PICKLE, asked: serializer } },
    )
  }
  if (serializer !== source.serializer) {
    checkKnown(source.serializer)
    checkKnown(serializer)
  }
  if (history && !source.capabilities.has('history')) throw noHistory(location)
}

function noHistory(location: string): PerdureError {
  return new PerdureError(
    'PERDURE_UNSUPPORTED',
    `${location} keeps no history, so none can be copied. Leave the option out.`,
    {
      details: { path: location },
    },
  )
}

class Conversion {
  readonly #order: ConversionOrder
  readonly #newest: Snapshot
  readonly #draft: Draft
  readonly #pool: WorkerPool

  constructor(order: ConversionOrder, newest: Snapshot, draft: Draft, pool: WorkerPool) {
    this.#order = order
    this.#newest = newest
    this.#draft = draft
    this.#pool = pool
  }

  async run(): Promise<ConvertResult> {
    const { source, kind, serializer, verify } = this.#order
    const copied = this.#order.history ? await this.#copyHistory() : undefined
    const tally = copied === undefined ? await this.#copyNewest() : await this.#tally(source, this.#newest)
    const { missing, objects, bytes } = tally
    if (missing !== undefined) throw await missingObject(source.location, this.#newest, missing)
    if (verify) await this.#compare(tally, copied)
    return {
      path: this.#draft.path,
      storage: kind.name,
      serializer,
      objects,
      bytes,
      transactions: copied?.transactions ?? 0,
      hash: verify ? tally.hash : undefined,
    }
  }

  async #copyNewest(): Promise<ContentTally> {
    const { source, serializer, verify, signal } = this.#order
    const tally = new ContentTally()
    const writer = new BulkWriter(this.#draft.storage, { note: 'converted' })
    const objectsTotal = objectsOf(source)
    const pipeline = new RecordPipeline(this.#pool, {
      from: source.serializer,
      to: serializer,
      hashed: verify,
      signal,
      onChunk: async (result) => {
        if (result.chunk !== undefined) await addChunk(result.chunk, (oid, data) => writer.add(oid, data))
        tally.add(result)
        this.#report('copy', tally, objectsTotal)
      },
    })
    await pipeline.run(this.#newest, objectsTotal)
    writer.reserve(nextOidOf(source))
    await writer.flush()
    return tally
  }

  #copyHistory(): Promise<CopiedHistory> {
    const { kind, source, signal } = this.#order
    const { storage: target } = this.#draft
    if (!target.capabilities.has('history')) throw noHistory(`A storage of the kind ${kind.name}`)
    const copied = { objects: 0, bytes: 0 }
    return copyHistory({
      source,
      newest: this.#newest,
      target,
      pool: this.#pool,
      nextOid: nextOidOf(source),
      signal,
      onVersions: (versions, bytes) => {
        copied.objects += versions
        copied.bytes += bytes
        this.#report('copy', copied, 0)
      },
    })
  }

  /** Opens the new database as others will find it, and reads it again. */
  async #compare(expected: ContentTally, copied: CopiedHistory | undefined): Promise<void> {
    const { source } = this.#order
    const target = await this.#draft.reopen()
    const snapshot = target.snapshot()
    try {
      const found = await this.#tally(target, snapshot)
      if (found.hash !== expected.hash || found.objects !== expected.objects) {
        const original = { snapshot: this.#newest, serializer: source.serializer }
        const oid = await findDifference(original, { snapshot, serializer: target.serializer })
        throw notEqual(source, target, oid)
      }
    } finally {
      snapshot.release()
    }
    if (copied !== undefined) await checkHistory(target, copied)
  }

  #tally(storage: Storage, snapshot: Snapshot): Promise<ContentTally> {
    const { verify, signal } = this.#order
    const onProgress = (progress: ContentHashProgress) => this.#report('verify', progress, progress.objectsTotal)
    return tallyContent(storage, snapshot, this.#pool, { onProgress, signal, hashed: verify })
  }

  #report(
    phase: ConvertProgress['phase'],
    { objects, bytes }: Pick<ContentTally, 'objects' | 'bytes'>,
    total: number,
  ): void {
    this.#order.onProgress?.({ phase, objects, objectsTotal: Math.max(objects, total), bytes })
  }
}

/** All oids that a storage has given out are below this one; 0 if it does not tell. */
function nextOidOf(source: Storage): number {
  const { nextOid } = source.statistics()
  return typeof nextOid === 'number' ? nextOid : 0
}

function notEqual({ location, serializer }: Storage, target: Storage, oid: Oid | undefined): PerdureError {
  const which = oid === undefined ? 'there are more objects' : `object ${oid} is another one`
  return new PerdureError(
    'PERDURE_IO',
    `What was written does not hold what ${location} does: ${which}. Either the disk is failing, or one of the serializers, ${serializer} and ${target.serializer}, does not give back what it was given. Nothing was made.`,
    { details: { path: location, ...(oid !== undefined && { oid }) } },
  )
}

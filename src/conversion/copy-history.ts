import { createHash } from 'node:crypto'
import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { Snapshot, Storage, StoredRecord, TransactionInfo } from '../core/storage.js'
import type { WorkerPool } from '../workers/pool.js'
import { BulkWriter } from './bulk-writer.js'
import { objectsOf } from './content-hash.js'
import { HistoryWriter } from './history-writer.js'
import { addChunk } from './record-chunk.js'
import { RecordPipeline } from './record-pipeline.js'

/** What is copied from where to where. */
export interface HistoryCopy {
  readonly source: Storage
  /** Up to here. */
  readonly newest: Snapshot
  readonly target: Storage
  readonly pool: WorkerPool
  /** Oids below this one have been somebody's. */
  readonly nextOid: number
  /** Called now and then with the number of versions so far, and the size of their records. */
  readonly onVersions: (versions: number, bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

/** What has been copied. */
export interface CopiedHistory {
  /** How many transactions of the target hold what the oldest state did. */
  readonly oldestParts: number
  /** How many transactions were copied as such. */
  readonly transactions: number
  /** Of these: see {@link HistoryDigest}. */
  readonly digest: string
}

/** The oldest state that a storage can still show, and when that was. */
interface Oldest {
  readonly snapshot: Snapshot
  readonly time: Date
}

/**
 * Copies the oldest state that can be read, and then every transaction since, each with its time and what it says of
 * itself. Transactions that have written nothing that is left, such as those of packs, are left out.
 *
 * @throws PerdureError `PERDURE_HISTORY` if a pack takes away meanwhile what has still to be read; what reading, decoding,
 *   encoding and writing throw; the reason of the signal
 */
export async function copyHistory(copy: HistoryCopy): Promise<CopiedHistory> {
  const oldest = await oldestState(copy.source)
  try {
    const oldestParts = await copyState(copy, oldest)
    const digest = await copyTransactions(copy, oldest.snapshot.tid + 1)
    return { oldestParts, transactions: digest.transactions, digest: digest.end() }
  } finally {
    oldest.snapshot.release()
  }
}

async function oldestState(source: Storage): Promise<Oldest> {
  try {
    return { snapshot: await source.snapshotAt(0), time: new Date(0) }
  } catch (error) {
    const { historyFrom, historyTime } = (error as Partial<PerdureError>).details ?? {}
    if (typeof historyFrom !== 'number') throw error
    return { snapshot: await source.snapshotAt(historyFrom), time: new Date(Number(historyTime)) }
  }
}

async function copyState(copy: HistoryCopy, { snapshot, time }: Oldest): Promise<number> {
  const writer = new BulkWriter(copy.target, { time, note: 'what there was before the history' })
  const pipeline = pipelineInto(copy, (oid, data) => writer.add(oid, data))
  await pipeline.run(snapshot, objectsOf(copy.source))
  writer.reserve(copy.nextOid)
  await writer.flush()
  return writer.parts
}

async function copyTransactions(copy: HistoryCopy, from: Tid): Promise<HistoryDigest> {
  const digest = new HistoryDigest()
  if (from > copy.newest.tid) return digest
  const writer = new HistoryWriter(copy.target)
  writer.reserve(copy.nextOid)
  const pipeline = pipelineInto(copy, (oid, data) => writer.add(oid, data))
  for await (const [transaction, records] of versions(copy.source, from, copy.newest.tid)) {
    if (records.length === 0) continue
    digest.add(
      transaction,
      records.map(({ oid }) => oid),
    )
    writer.expect(transaction, records.length)
    for (const { oid, data } of records) {
      const wait = pipeline.add(oid, data)
      if (wait !== undefined) await wait
    }
  }
  await pipeline.end()
  return digest
}

function pipelineInto(
  { source, target, pool, onVersions, signal }: HistoryCopy,
  add: (oid: number, data: Uint8Array) => Promise<void> | undefined,
): RecordPipeline {
  return new RecordPipeline(pool, {
    from: source.serializer,
    to: target.serializer,
    hashed: false,
    signal,
    onChunk: async ({ chunk, bytes }) => {
      if (chunk === undefined) return
      await addChunk(chunk, add)
      onVersions(chunk.oids.length, bytes)
    },
  })
}

/** Each transaction with what it wrote, as far as no pack has taken it away. */
async function* versions(
  storage: Storage,
  from: Tid,
  to: Tid,
): AsyncGenerator<readonly [TransactionInfo, readonly StoredRecord[]]> {
  for await (const transaction of storage.transactions({ from, to })) {
    const { tid, oids } = transaction
    if (oids.length === 0) continue
    const snapshot = await storage.snapshotAt(tid)
    try {
      const records = await snapshot.loadMany(oids)
      yield [transaction, records.filter((record): record is StoredRecord => record?.tid === tid)]
    } finally {
      snapshot.release()
    }
  }
}

/**
 * Makes sure that each transaction has its copy.
 *
 * @throws PerdureError `PERDURE_IO`
 */
export async function checkHistory(target: Storage, copied: CopiedHistory): Promise<void> {
  const found = new HistoryDigest()
  for await (const transaction of target.transactions({ from: copied.oldestParts + 1 })) {
    found.add(transaction, transaction.oids)
  }
  if (found.transactions === copied.transactions && found.end() === copied.digest) return
  throw new PerdureError(
    'PERDURE_IO',
    `The transactions in ${target.location} are not those that were written there.`,
    {
      details: { path: target.location },
    },
  )
}

/** A hash of transactions in their order: of their times, their notes and users, and the oids of what they wrote. */
class HistoryDigest {
  transactions = 0
  readonly #hash = createHash('sha256')

  add({ time, note, user }: TransactionInfo, oids: readonly Oid[]): void {
    this.transactions++
    this.#hash.update(JSON.stringify([time.getTime(), note, user, Float64Array.from(oids).sort().join()]))
  }

  /** In hexadecimal digits. Nothing can be added afterwards. */
  end(): string {
    return this.#hash.digest('hex')
  }
}

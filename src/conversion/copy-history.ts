import { PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
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
  /** The oldest transaction of the source that was copied as such; those after it were too. */
  readonly from: Tid
  /** How many transactions that were. */
  readonly transactions: number
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
    const from = oldest.snapshot.tid + 1
    return { oldestParts, from, transactions: await copyTransactions(copy, from) }
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

async function copyTransactions(copy: HistoryCopy, from: Tid): Promise<number> {
  if (from > copy.newest.tid) return 0
  let transactions = 0
  const writer = new HistoryWriter(copy.target)
  writer.reserve(copy.nextOid)
  const pipeline = pipelineInto(copy, (oid, data) => writer.add(oid, data))
  for await (const [transaction, records] of versions(copy.source, from, copy.newest.tid)) {
    if (records.length === 0) continue
    transactions++
    writer.expect(transaction, records.length)
    for (const { oid, data } of records) {
      const wait = pipeline.add(oid, data)
      if (wait !== undefined) await wait
    }
  }
  await pipeline.end()
  return transactions
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
export async function* versions(
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
 * Makes sure that each transaction of the source has its copy.
 *
 * @throws PerdureError `PERDURE_IO` naming the first one that has not
 */
export async function compareHistory(
  source: Storage,
  newest: Tid,
  target: Storage,
  copied: CopiedHistory,
): Promise<void> {
  const copies = target.transactions({ from: copied.oldestParts + 1 })[Symbol.asyncIterator]()
  if (copied.from <= newest) {
    for await (const [original, records] of versions(source, copied.from, newest)) {
      if (records.length === 0) continue
      const { value: copy, done } = await copies.next()
      if (done === true || !isCopy(copy, original, records.length)) throw differs(target, original.tid)
    }
  }
  if ((await copies.next()).done !== true) throw differs(target, newest)
}

function isCopy(copy: TransactionInfo, original: TransactionInfo, records: number): boolean {
  return (
    copy.oids.length === records &&
    copy.time.getTime() === original.time.getTime() &&
    copy.note === original.note &&
    copy.user === original.user
  )
}

function differs(target: Storage, tid: Tid): PerdureError {
  return new PerdureError(
    'PERDURE_IO',
    `Transaction ${tid} does not stand in ${target.location} as it was written there.`,
    {
      details: { path: target.location, tid },
    },
  )
}

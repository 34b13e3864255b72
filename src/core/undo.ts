import type { CommitOptions } from './connection-options.js'
import { type Conflict, ConflictError, type ErrorCode, PerdureError } from './errors.js'
import type { Oid, Tid } from './oid.js'
import { recordClassName } from './record.js'
import type { RecordWrite, Snapshot, Storage, StoredRecord, TransactionInfo } from './storage.js'

const LACKING: ReadonlySet<string> = new Set<ErrorCode>(['PERDURE_CONFLICT', 'PERDURE_OBJECT_MISSING'])

/**
 * Commits the inverse of one transaction: every object that it changed becomes what it was before. Works on records,
 * so no classes are needed.
 *
 * Objects that it made stay as they are. What it had linked them to no longer refers to them, so as a rule they cannot
 * be reached any more and the next pack removes them; what others have linked to them since goes on to do so.
 *
 * @returns the tid of the new transaction; if there is nothing to take back, that of the newest one
 * @throws ConflictError (`PERDURE_CONFLICT`) naming the objects that have been changed since
 * @throws PerdureError `PERDURE_ARGUMENT` for the first transaction, or one that does not exist; `PERDURE_HISTORY` if it
 *   is further back than history goes; `PERDURE_UNSUPPORTED` without the capability `history`; and those of
 *   {@link Storage.commit}
 */
export async function undoTransaction(storage: Storage, tid: Tid, remarks: CommitOptions): Promise<Tid> {
  if (tid === 1) throw new PerdureError('PERDURE_ARGUMENT', 'Transaction 1 has made the database: it cannot be undone.')
  const newest = newestTid(storage)
  // A storage without history says so below.
  if (tid > newest && storage.capabilities.has('history')) {
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `There is no transaction ${tid} yet in ${storage.location}: the newest is ${newest}.`,
    )
  }
  const before = await storage.snapshotAt(tid - 1)
  try {
    return await undoAt(storage, tid, before, remarks)
  } catch (error) {
    // It may lack what a pack has removed meanwhile, along with the transaction: then that is what is wrong.
    if (LACKING.has((error as PerdureError).code)) (await storage.snapshotAt(tid - 1)).release()
    throw error
  } finally {
    before.release()
  }
}

function newestTid(storage: Storage): Tid {
  const now = storage.snapshot()
  now.release()
  return now.tid
}

async function undoAt(storage: Storage, tid: Tid, before: Snapshot, remarks: CommitOptions): Promise<Tid> {
  const { oids } = await transactionInfo(storage, tid)
  const now = storage.snapshot()
  try {
    const changes = await collectChanges(tid, oids, before, now)
    const note = remarks.note ?? `undo of transaction ${tid}`
    const result = await storage.commit({ ...remarks, ...changes, note, base: now.tid })
    if (result.conflicts !== undefined) throw undoRefused(tid, result.conflicts)
    return result.tid
  } finally {
    now.release()
  }
}

async function transactionInfo(storage: Storage, tid: Tid): Promise<TransactionInfo> {
  for await (const info of storage.transactions({ from: tid, to: tid })) return info
  throw new PerdureError('PERDURE_ARGUMENT', `There is no transaction ${tid} that could be undone.`)
}

/** What a commit needs to take the transaction back. */
async function collectChanges(
  tid: Tid,
  oids: readonly Oid[],
  before: Snapshot,
  now: Snapshot,
): Promise<{ reads: readonly Oid[]; writes: readonly RecordWrite[] }> {
  const [earlier, current] = await Promise.all([before.loadMany(oids), now.loadMany(oids)])
  const changed = current.filter((record) => record !== undefined && record.tid !== tid) as StoredRecord[]
  if (changed.length > 0) throw undoRefused(tid, changed.map(toConflict))
  const writes: RecordWrite[] = []
  const made: Oid[] = []
  for (const [i, oid] of oids.entries()) {
    const record = earlier[i]
    if (record === undefined) made.push(oid)
    else writes.push(record)
  }
  // Objects that the transaction made are taken out of use: so they must not be changed meanwhile either.
  return { reads: made, writes }
}

function toConflict({ oid, tid, data }: StoredRecord): Conflict {
  return { oid, tid, className: recordClassName(data) }
}

function undoRefused(tid: Tid, conflicts: readonly Conflict[]): ConflictError {
  return new ConflictError(tid, conflicts, `Transaction ${tid} cannot be undone`, 'Undo the later transactions first.')
}

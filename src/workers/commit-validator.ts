import { PerdureError, packError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { PublishedState } from '../journal/published-state.js'
import type { JournalState } from '../journal/recovery.js'
import { TransactionImage } from '../journal/transaction.js'
import type { CommitBatch } from './commit-batch.js'
import type { JournalGeneration } from './journal-generation.js'
import type { CommitOutcome } from './messages.js'

/** Objects may be given oids that were not allocated, as long as they are not further ahead than this. */
const STRAY_OIDS = 2 ** 20

/** One transaction that waits for its outcome. */
export interface PendingCommit {
  readonly base: Tid
  readonly reads: readonly Oid[]
  readonly image: Uint8Array<ArrayBuffer> | undefined
  /** When a transaction of another storage was committed, in ms since 1970. */
  readonly restoredAt?: number | undefined
  /** Called once, after the outcome is final and visible to all. */
  readonly answer: (outcome: CommitOutcome) => void
}

/**
 * Decides whether a commit passes. If it does, its image is completed and added to the batch; it counts when that is
 * stored.
 *
 * @param state of the journal before the batch
 */
export function validateCommit(
  journal: JournalGeneration,
  state: JournalState,
  { base, reads, image: bytes, restoredAt }: PendingCommit,
  batch: CommitBatch,
): CommitOutcome {
  try {
    if (base > batch.tid) {
      throw new PerdureError('PERDURE_ARGUMENT', `No snapshot can have tid ${base}: the newest is ${batch.tid}.`)
    }
    const image = bytes === undefined ? undefined : new TransactionImage(bytes)
    const conflicts = journal.conflicts.find(base, reads, image, state.tid, batch)
    if (conflicts.length > 0) return { conflicts }
    if (image === undefined) return { tid: base }
    // What is copied may refer to what is still to come.
    const removed = restoredAt === undefined ? journal.removals.find(base, image, state.tid, batch) : []
    if (removed.length > 0) return { conflicts: removed }
    return { tid: accept(journal, state, image, batch, restoredAt) }
  } catch (error) {
    return { error: packError(error) }
  }
}

function accept(
  journal: JournalGeneration,
  state: JournalState,
  image: TransactionImage,
  batch: CommitBatch,
  restoredAt: number | undefined,
): Tid {
  const { index, writer, seed, published } = journal
  // Oids of the database that is copied were somebody's, even if nobody has them any more.
  const given = restoredAt === undefined ? 0 : published.get('nextOid')
  let nextOid = Math.max(given, batch.nextOid(state.nextOid))
  image.forEachRecord((oid) => {
    if (oid >= nextOid) nextOid = oid + 1
  })
  // Before anything is accepted, so that an impossible oid refuses this transaction only.
  checkOid(nextOid - 1, published)
  index.grow(nextOid)
  const stamp = {
    position: batch.end,
    tid: batch.tid + 1,
    time: batch.timeAfter(state.time, restoredAt),
    durable: writer.durable,
    nextOid,
    seed,
  }
  image.stamp(stamp, (oid) => batch.offsetOf(oid) ?? index.get(oid))
  batch.add(image, nextOid)
  return stamp.tid
}

/** The index is an array: one stray oid would make it, and each checkpoint, as large as that. */
function checkOid(oid: Oid, published: PublishedState): void {
  const allocated = published.get('nextOid')
  if (oid < allocated + STRAY_OIDS) return
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `Oid ${oid} has never been allocated: the next one is ${allocated}. Get oids from allocateOids().`,
    { details: { oid } },
  )
}

import { CorruptionError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { RecordBatchBuilder, type TransferableBatch } from '../core/record-batch.js'
import {
  RECORD_HEADER_BYTES,
  RESTORE_OR_REPAIR,
  recordIsIntact,
  recordOid,
  recordPrevious,
  recordTid,
} from '../journal/format.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { PAGE_ENTRIES } from '../journal/oid-index.js'
import { JournalReader } from '../journal/reader.js'
import { RunReader } from '../journal/run-reader.js'
import { JournalView, openShared, type SharedFile, type SharedJournal } from '../journal/shared-journal.js'

/** Of older versions, which are read one by one. */
const BLOCK_CACHE_BYTES = 1024 * 1024

/** Journal in one task of the second step: a few milliseconds' work, and a batch of at most a few megabytes. */
export const STRETCH_BYTES = 512 * 1024

/** A range of pages of the index. */
export interface LocateTask {
  readonly shared: SharedJournal
  readonly from: number
  /** The first page that is not of the range. */
  readonly to: number
}

/** First step of a scan: the offsets, ascending, of the newest versions of all objects of a range, in shared memory. */
export function locateRecords({ shared: journal, from, to }: LocateTask): Float64Array {
  const view = JournalView.attach(nodeFileSystem, journal, 0)
  try {
    const entries = new BigUint64Array(PAGE_ENTRIES)
    const offsets = new Float64Array((to - from) * PAGE_ENTRIES)
    let count = 0
    for (let page = from; page < to; page++) {
      view.index.copyPage(page, entries)
      for (const entry of entries) if (entry !== 0n) offsets[count++] = Number(entry)
    }
    const shared = new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT))
    shared.set(offsets.subarray(0, count).sort())
    return shared
  } finally {
    view.release()
  }
}

/** Records that lie near each other. */
export interface ReadTask {
  readonly file: SharedFile
  readonly tid: Tid
  /** End of the journal when the scan began. */
  readonly end: number
  /** Their offsets. Each list is ascending. */
  readonly lists: readonly Float64Array[]
}

/**
 * Second step: reads the records at some offsets, and where one is newer than the snapshot, the version before that.
 *
 * @throws CorruptionError, PerdureError `PERDURE_DECODE`, `PERDURE_IO`
 */
export function readRecords(task: ReadTask): TransferableBatch {
  const builder = new RecordBatchBuilder()
  visitRecords(task, (oid, tid, bytes, start, end) => builder.addFrom(oid, tid, bytes, start, end))
  return builder.take()
}

/** A record in memory: it lies in `bytes` from `start` to `end`. Valid only during the call. */
export type RecordVisitor = (oid: Oid, tid: Tid, bytes: Uint8Array, start: number, end: number) => void

/**
 * As {@link readRecords}, for whoever wants more of them than a batch has.
 *
 * @throws CorruptionError, PerdureError `PERDURE_IO`; what `visit` throws
 */
export function visitRecords({ file: shared, tid, end, lists }: ReadTask, visit: RecordVisitor): void {
  const file = openShared(nodeFileSystem, shared)
  let reader: JournalReader | undefined
  new RunReader(file).read(inOrder(lists), (offset, bytes, view, start, length) => {
    // No record is shorter than a byte: 0 says that the file ends within it.
    if (length === 0 || !recordIsIntact(bytes, view, start, length)) throw damaged(file.path, offset)
    const oid = recordOid(view, start)
    if (recordTid(view, start) <= tid) {
      const data = start + RECORD_HEADER_BYTES
      visit(oid, recordTid(view, start), bytes, data, data + length)
    } else {
      reader ??= new JournalReader(file, () => end, BLOCK_CACHE_BYTES)
      const record = reader.load(oid, recordPrevious(view, start), tid)
      if (record !== undefined) visit(oid, record.tid, record.data, 0, record.data.length)
    }
  })
}

function inOrder(lists: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(lists.reduce((length, list) => length + list.length, 0))
  let at = 0
  for (const list of lists) {
    all.set(list, at)
    at += list.length
  }
  return lists.length === 1 ? all : all.sort()
}

function damaged(path: string, offset: number): CorruptionError {
  return new CorruptionError(path, offset, `the record there is not what was stored. ${RESTORE_OR_REPAIR}`)
}

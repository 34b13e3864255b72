import type { Oid, Tid } from '../oid.js'
import type { RecordBatch } from '../storage.js'

/** What a scan tells of one object. */
export interface ObjectSummary {
  readonly oid: Oid
  readonly className: string
  /** The transaction that wrote it. */
  readonly tid: Tid
  /** Size of its record, in bytes. */
  readonly bytes: number
}

/** The object at `position` of a batch. */
export function summaryOf(batch: RecordBatch, position: number): ObjectSummary {
  return {
    oid: batch.oids[position] as Oid,
    className: batch.classNames[batch.classes[position] as number] as string,
    tid: batch.tids[position] as Tid,
    bytes: batch.bytes[position] as number,
  }
}

import { PerdureError } from '../core/errors.js'
import type { RecordBatch } from '../core/storage.js'
import { batchBytes, classNamesBytes } from './protocol/record-codecs.js'

const OBJECT_BYTES = 28
const REFERENCE_BYTES = 8

/**
 * Cuts a batch into smaller ones of about `wantedBytes`. One with a single object may be longer.
 *
 * @throws PerdureError `PERDURE_LIMIT` if an object has so many references that they are longer than `limitBytes`
 */
export function* splitBatch(batch: RecordBatch, wantedBytes: number, limitBytes: number): Generator<RecordBatch> {
  if (batchBytes(batch) <= wantedBytes) {
    yield batch
    return
  }
  const classBytes = classNamesBytes(batch)
  let start = 0
  while (start < batch.oids.length) {
    const end = endOfPart(batch, start, wantedBytes - classBytes)
    const part = cut(batch, start, end)
    const bytes = batchBytes(part)
    if (bytes > limitBytes) {
      throw new PerdureError(
        'PERDURE_LIMIT',
        `The ${part.references.length} references of object ${part.oids[0]} are more than the client takes in one frame.`,
        { details: { oid: part.oids[0] as number, bytes, limit: limitBytes } },
      )
    }
    yield part
    start = end
  }
}

/** As many objects as there is room for, and at least one. */
function endOfPart({ oids, referenceEnds }: RecordBatch, start: number, bytes: number): number {
  const firstReference = start === 0 ? 0 : (referenceEnds[start - 1] as number)
  let end = start + 1
  while (end < oids.length) {
    const references = (referenceEnds[end] as number) - firstReference
    if ((end + 1 - start) * OBJECT_BYTES + references * REFERENCE_BYTES > bytes) break
    end++
  }
  return end
}

function cut(batch: RecordBatch, start: number, end: number): RecordBatch {
  const firstReference = start === 0 ? 0 : (batch.referenceEnds[start - 1] as number)
  const lastReference = batch.referenceEnds[end - 1] as number
  return {
    oids: batch.oids.subarray(start, end),
    tids: batch.tids.subarray(start, end),
    bytes: batch.bytes.subarray(start, end),
    classes: batch.classes.subarray(start, end),
    classNames: batch.classNames,
    referenceEnds: batch.referenceEnds.subarray(start, end).map((position) => position - firstReference),
    references: batch.references.subarray(firstReference, lastReference),
  }
}

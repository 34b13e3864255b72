import type { Oid } from '../core/oid.js'
import { type ReadTask, STRETCH_BYTES, visitRecords } from '../workers/scan-task.js'
import { type RecordChunk, recordAt } from './record-chunk.js'
import { type TranscodeOptions, type TranscodeResult, Transcoder } from './transcoder.js'

/** Some records, and what is to be done with them. */
export interface ChunkTask extends TranscodeOptions {
  readonly chunk: RecordChunk
}

/** @throws what {@link Transcoder} throws */
export async function transcodeChunk({ chunk, ...options }: ChunkTask): Promise<TranscodeResult> {
  const { oids, data } = chunk
  const transcoder = await Transcoder.create(options, data.length)
  for (let i = 0; i < oids.length; i++) transcoder.add(oids[i] as Oid, recordAt(chunk, i))
  return transcoder.finish()
}

/** Records of a stretch of a journal, which the thread reads by itself, and what is to be done with them. */
export interface StretchTask extends TranscodeOptions {
  readonly stretch: ReadTask
}

/** @throws CorruptionError, PerdureError `PERDURE_IO`, and what {@link Transcoder} throws */
export async function transcodeStretch({ stretch, ...options }: StretchTask): Promise<TranscodeResult> {
  const transcoder = await Transcoder.create(options, STRETCH_BYTES)
  visitRecords(stretch, (oid, _tid, bytes, start, end) => transcoder.add(oid, bytes.subarray(start, end)))
  return transcoder.finish()
}

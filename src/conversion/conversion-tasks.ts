import { moving, task } from '../workers/pool-task.js'
import { locateRecords as locateRecordsNow } from '../workers/scan-task.js'
import { chunkBuffers } from './record-chunk.js'
import { transcodeChunk as transcodeChunkNow, transcodeStretch as transcodeStretchNow } from './transcode-tasks.js'
import type { TranscodeResult } from './transcoder.js'

/* The entry of the threads that convert: one exported function for each kind of task. */

function buffersOf({ chunk, oids, references }: TranscodeResult): ArrayBuffer[] {
  return [...(chunk === undefined ? [oids.buffer] : chunkBuffers(chunk)), references.buffer]
}

export const transcodeChunk = moving(transcodeChunkNow, buffersOf)
export const transcodeStretch = moving(transcodeStretchNow, buffersOf)
export const locateRecords = task(locateRecordsNow)

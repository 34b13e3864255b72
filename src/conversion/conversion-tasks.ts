import { moving } from '../workers/pool-task.js'
import { chunkBuffers } from './record-chunk.js'
import { transcode as transcodeNow } from './transcode.js'

/* The entry of the threads that convert: one exported function for each kind of task. */

export const transcode = moving(transcodeNow, ({ chunk, oids, references }) => [
  ...(chunk === undefined ? [oids.buffer] : chunkBuffers(chunk)),
  references.buffer,
])

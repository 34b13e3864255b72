import { chunkBuffers } from '../../conversion/record-chunk.js'
import { moving } from '../../workers/pool-task.js'
import { mapChunk } from './map-chunk.js'

/* The entry of the threads that map objects: one exported function for each kind of task. */

export const mapObjects = moving(mapChunk, ({ chunk }) => chunkBuffers(chunk))

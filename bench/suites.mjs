import { concurrent, sequential, unsynced } from './suites/commit.mjs'
import { create } from './suites/create.mjs'
import { fieldRead } from './suites/field-read.mjs'
import { memory } from './suites/memory.mjs'
import { opening } from './suites/open.mjs'
import { get, traverse } from './suites/read.mjs'

/**
 * By name. Each has a `title`, a `unit`, the `peers` it measures, the `durability` of its commits where it makes any,
 * `sizes` if a peer is measured with several, `needs`: how many accounts its database holds beforehand (undefined: it
 * begins with none), and `measure`, which gives one figure and runs in a process of its own.
 */
export const SUITES = {
  create,
  traverse,
  get,
  'field-read': fieldRead,
  sequential,
  concurrent,
  unsynced,
  open: opening,
  memory,
}

import { concurrent, sequential, unsynced } from './suites/commit.mjs'
import { convert, convertOnly } from './suites/convert.mjs'
import { create } from './suites/create.mjs'
import { fieldRead } from './suites/field-read.mjs'
import { importDurus } from './suites/import-durus.mjs'
import { indexFirst, indexOpen, indexWarm } from './suites/index.mjs'
import { memory } from './suites/memory.mjs'
import { opening } from './suites/open.mjs'
import { pack, packCopy, packLatency, packStall, packTraverse } from './suites/pack.mjs'
import { get, traverse } from './suites/read.mjs'
import {
  serverClients,
  serverCommit,
  serverCrawl,
  serverIdle,
  serverLatency,
  serverMemory,
  serverTraverse,
} from './suites/server.mjs'

/**
 * By name. Each has a `title`, a `unit`, the `peers` it measures, and
 * - `durability` of its commits, where they are what it measures
 * - `sizes`, if a peer is measured with several numbers of objects
 * - `variants`, if a peer is measured in several ways, which are then the contestants
 * - `objects`, if it is to have another number of objects than the others unless one is given
 * - `needs`: what its database holds beforehand, and whether other suites read the same one (all that do, or those that
 *   name the same `owner`); undefined: nothing
 * - `measure`, which gives one figure, and runs in a process of its own
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
  'index-open': indexOpen,
  'index-first': indexFirst,
  'index-warm': indexWarm,
  'server-traverse': serverTraverse,
  'server-crawl': serverCrawl,
  'server-commit': serverCommit,
  'server-clients': serverClients,
  'server-latency': serverLatency,
  'server-idle': serverIdle,
  'server-memory': serverMemory,
  pack,
  'pack-copy': packCopy,
  'pack-latency': packLatency,
  'pack-stall': packStall,
  'pack-traverse': packTraverse,
  convert,
  'convert-only': convertOnly,
  'import-durus': importDurus,
}

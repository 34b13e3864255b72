import type { SqliteEngine } from '../../src/storages/sqlite/engine.js'
import { libsqlEngine } from '../../src/storages/sqlite/libsql-engine.js'
import { nodeEngine } from '../../src/storages/sqlite/node-engine.js'

/** The engines that this Node can load. */
export const sqliteEngines: readonly SqliteEngine[] =
  Number.parseInt(process.versions.node, 10) >= 24 ? [nodeEngine(), libsqlEngine] : [libsqlEngine]

import { fileKind } from './file-kind.js'
import { memoryKind } from './memory-kind.js'
import { registerStorage } from './registry.js'
import { sqliteKind } from './sqlite-kind.js'

/* Makes the kinds of storage that come with this package known. */

registerStorage(fileKind)
registerStorage(memoryKind)
registerStorage(sqliteKind)

import { Draft } from '../../src/conversion/draft.js'
import { fileKind } from '../../src/storages/file-kind.js'

/* A process that begins to make a database at the path it is given, tells its parent so, and never ends. */

const [, , path = ''] = process.argv
await Draft.create(path, fileKind, { serializer: 'msgpack' })
process.send?.({})
setInterval(() => {}, 1000)

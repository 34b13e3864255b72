import { once } from 'node:events'
import { createServer } from 'node:net'
import { anonymous, StorageServer } from '../../dist/src/server/index.js'
import { FileStorage } from '../../dist/src/storages/file.js'

// Serves the database at a path over TCP, as the daemon does, until the process that has started this one goes away.
const { path, durability } = JSON.parse(process.argv[2])
const storage = await FileStorage.open(path, { durability })
const server = new StorageServer({ storage, authenticator: anonymous('writer') })
const listener = createServer((socket) => server.accept(socket)).listen(0, '127.0.0.1', 4096)
await once(listener, 'listening')

process.on('message', () => {
  globalThis.gc()
  globalThis.gc()
  process.send(process.memoryUsage())
})
process.once('disconnect', async () => {
  listener.close()
  await server.stop()
  await storage.close()
})
process.send({ url: `perdure://127.0.0.1:${listener.address().port}` })

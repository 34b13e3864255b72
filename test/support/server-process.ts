import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { formatAddress, parseAddress, socketOptions } from '../../src/server/address.js'
import { anonymous, StorageServer } from '../../src/server/index.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { Detour } from './detour.js'
import type { FromServers, ServeRequest, ToServers } from './server-messages.js'

/*
 * A process with servers, for tests whose own thread is blocked while it waits for one. It ends with its parent.
 */

const running: { stop(): Promise<void> }[] = []

process.on('message', async (message: ToServers) => {
  const { id } = message
  try {
    if (message.type === 'serve') reply({ id, ...(await serve(message)) })
    else {
      await running[message.server]?.stop()
      reply({ id })
    }
  } catch (error) {
    reply({ id, error: String(error) })
  }
})
process.on('disconnect', () => process.exit())

function reply(message: FromServers): void {
  process.send?.(message)
}

async function serve(request: ServeRequest): Promise<{ server: number; url: string }> {
  const { path, serializer = 'msgpack', durability = 'os', role = 'admin', databaseId, limits } = request
  const storage =
    path === undefined ? new MemoryStorage({ serializer }) : await FileStorage.open(path, { serializer, durability })
  const server = new StorageServer({
    storage,
    authenticator: anonymous(role),
    ...(databaseId !== undefined && { databaseId }),
    ...(limits !== undefined && { limits }),
  })
  const address = parseAddress(request.address ?? { port: 0 })
  const listener = createServer((socket) => server.accept(socket)).listen(socketOptions(address))
  await once(listener, 'listening')
  const place = address.kind === 'tcp' ? { ...address, port: (listener.address() as AddressInfo).port } : address
  const detour = request.splits ? await Detour.start(formatAddress(place)) : undefined
  if (detour !== undefined) detour.splits = true
  const stop = async () => {
    await detour?.close()
    await closed(listener, () => server.stop())
    await storage.close()
  }
  running.push({ stop })
  return { server: running.length - 1, url: detour?.url ?? formatAddress(place) }
}

async function closed(listener: Server, stop: () => Promise<void>): Promise<void> {
  const isClosed = new Promise((resolve) => listener.close(resolve))
  await stop()
  await isClosed
}

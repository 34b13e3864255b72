import { FileStorage, MemoryStorage } from '../../src/storages/index.js'
import { DurusServer } from './durus-server.js'

/*
 * Serves Durus clients until one of them says `Q`, to try programs in Python by hand:
 *
 *   node dist/test/support/durus-serving-process.js PORT_OR_SOCKET_PATH [FILE]
 */

const [at = '2972', path] = process.argv.slice(2)
const storage =
  path === undefined
    ? new MemoryStorage({ serializer: 'pickle' })
    : await FileStorage.open(path, { serializer: 'pickle' })
const server = new DurusServer(storage, {
  allowStop: true,
  onStopRequest: () => {
    void stop()
  },
})

async function stop(): Promise<void> {
  await server.close()
  if (storage.capabilities.has('verify')) {
    const { objects, problems } = await storage.verify()
    console.log(`${objects} objects, problems: ${JSON.stringify(problems)}`)
  }
  console.log(server.blames, server.server.figures)
  console.log(`packs: ${server.count('packed')} done, ${server.count('packFailed')} failed`)
  console.log(`gate: ${server.gate.inside} inside, ${server.gate.waiting} waiting`)
  await storage.close()
}

await server.listen(/^\d+$/.test(at) ? Number(at) : at)
console.log(`Serving ${storage.location} at ${at}`)

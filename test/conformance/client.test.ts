import fc from 'fast-check'
import { msgpack } from '../../src/serializers/msgpack.js'
import { ClientStorage } from '../../src/storages/client.js'
import { runModel } from '../../src/testing/storage-model.js'
import { storageSuite } from '../../src/testing/storage-suite.js'
import { modelProgram } from '../support/model-program.js'
import { type RunningServer, Servers } from '../support/servers.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('ClientStorage', () => {
  let servers: Servers
  let server: RunningServer | undefined
  let directory: TemporaryDirectory | undefined

  before(() => {
    servers = new Servers()
  })

  after(() => servers.kill())

  async function stop(): Promise<void> {
    await server?.stop()
    server = undefined
    directory?.remove()
    directory = undefined
  }

  async function serveFile(serializer: string): Promise<ClientStorage> {
    directory = new TemporaryDirectory()
    server = await servers.serve({ path: directory.join('a.perdure'), serializer })
    return ClientStorage.connect(server.url)
  }

  storageSuite({
    name: 'ClientStorage with a MemoryStorage behind it',
    capabilities: ['pack'],
    create: async ({ serializer }) => {
      server = await servers.serve({ serializer })
      return ClientStorage.connect(server.url)
    },
    cleanup: stop,
  })

  storageSuite({
    name: 'ClientStorage with a FileStorage behind it',
    capabilities: ['persistent', 'durable', 'pack', 'history', 'verify'],
    create: ({ serializer }) => serveFile(serializer),
    reopen: (closed) => ClientStorage.connect(closed.location),
    cleanup: stop,
    states: { sound: Uint8Array.from(msgpack.encode({}, { position: () => 0 })), undecodable: Uint8Array.of(0xc1) },
  })

  for (const splits of [false, true]) {
    it(`agrees with the model on every program${splits ? ', however bytes are split on their way' : ''}`, async () => {
      await fc.assert(
        fc.asyncProperty(modelProgram, async (program) => {
          server = await servers.serve({ splits })
          await using storage = await ClientStorage.connect(server.url)
          await runModel(storage, program)
          await stop()
        }),
        { numRuns: splits ? 5 : 15 },
      )
    })
  }
})

import fc from 'fast-check'
import { msgpack } from '../../src/serializers/msgpack.js'
import { SqliteStorage } from '../../src/storages/sqlite.js'
import { runModel } from '../../src/testing/storage-model.js'
import { storageSuite } from '../../src/testing/storage-suite.js'
import { modelProgram } from '../support/model-program.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

let directory: TemporaryDirectory | undefined
let files = 0

function newPath(): string {
  directory ??= new TemporaryDirectory()
  return directory.join(`${files++}.sqlite`)
}

async function removeFiles(): Promise<void> {
  directory?.remove()
  directory = undefined
}

storageSuite({
  name: 'SqliteStorage',
  capabilities: ['persistent', 'durable', 'history', 'pack', 'threads', 'readers', 'verify', 'restore'],
  create: ({ serializer }) => SqliteStorage.open(newPath(), { serializer }),
  reopen: (closed) => SqliteStorage.open(closed.location),
  share: (open) => SqliteStorage.attach((open as SqliteStorage).share().handle),
  openReadonly: (open) => SqliteStorage.open(open.location, { readonly: true }),
  cleanup: removeFiles,
  states: { sound: Uint8Array.from(msgpack.encode({}, { position: () => 0 })), undecodable: Uint8Array.of(0xc1) },
})

describe('SqliteStorage', () => {
  afterEach(removeFiles)

  it('agrees with the model on every program', async () => {
    await fc.assert(
      fc.asyncProperty(modelProgram, async (program) => {
        let storage = await SqliteStorage.open(newPath(), { durability: 'os' })
        await runModel(storage, program, {
          reopen: async (closed) => (storage = await SqliteStorage.open(closed.location, { durability: 'os' })),
        })
        await storage.close()
      }),
      { numRuns: 8 },
    )
  })
})

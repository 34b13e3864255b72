import fc from 'fast-check'
import { msgpack } from '../../src/serializers/msgpack.js'
import { FileStorage } from '../../src/storages/file.js'
import { runModel } from '../../src/testing/storage-model.js'
import { storageSuite } from '../../src/testing/storage-suite.js'
import { modelProgram } from '../support/model-program.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

let directory: TemporaryDirectory | undefined
let files = 0

function newPath(): string {
  directory ??= new TemporaryDirectory()
  return directory.join(`${files++}.perdure`)
}

async function removeFiles(): Promise<void> {
  directory?.remove()
  directory = undefined
}

storageSuite({
  name: 'FileStorage',
  capabilities: ['persistent', 'durable', 'history', 'pack', 'threads', 'readers', 'verify', 'restore'],
  create: ({ serializer }) => FileStorage.open(newPath(), { serializer }),
  reopen: (closed) => FileStorage.open(closed.location),
  share: async (open) => FileStorage.attach((open as FileStorage).share().handle),
  openReadonly: (open) => FileStorage.open(open.location, { readonly: true }),
  cleanup: removeFiles,
  states: { sound: Uint8Array.from(msgpack.encode({}, { position: () => 0 })), undecodable: Uint8Array.of(0xc1) },
})

describe('FileStorage', () => {
  afterEach(removeFiles)

  it('agrees with the model on every program', async () => {
    await fc.assert(
      fc.asyncProperty(modelProgram, async (program) => {
        let storage = await FileStorage.open(newPath(), { durability: 'os' })
        await runModel(storage, program, {
          reopen: async (closed) => (storage = await FileStorage.open(closed.location, { durability: 'os' })),
        })
        await storage.close()
      }),
      { numRuns: 8 },
    )
  })
})

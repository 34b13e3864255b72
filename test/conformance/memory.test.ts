import fc from 'fast-check'
import { MemoryStorage } from '../../src/storages/memory.js'
import { runModel } from '../../src/testing/storage-model.js'
import { storageSuite } from '../../src/testing/storage-suite.js'
import { modelProgram } from '../support/model-program.js'

storageSuite({
  name: 'MemoryStorage',
  capabilities: ['pack', 'restore'],
  create: async ({ serializer }) => new MemoryStorage({ serializer }),
})

describe('MemoryStorage', () => {
  it('agrees with the model on every program', async () => {
    await fc.assert(
      fc.asyncProperty(modelProgram, async (program) => {
        const storage = new MemoryStorage()
        await runModel(storage, program)
        await storage.close()
      }),
      { numRuns: 300 },
    )
  })
})

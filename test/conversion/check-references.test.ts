import { expect } from 'chai'
import { checkReferences } from '../../src/conversion/check-references.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { write } from '../../src/testing/suite-context.js'
import { failure } from '../support/errors.js'

describe('checkReferences', () => {
  async function storageOf(...writes: ReturnType<typeof write>[]): Promise<MemoryStorage> {
    const storage = new MemoryStorage()
    storage.allocateOids(10)
    await storage.commit({ base: 0, reads: [], writes, restored: { time: new Date(0) } })
    return storage
  }

  it('is content when everything is there, cycles included', async () => {
    await using storage = await storageOf(write(0, 'root', [1, 2]), write(1, 'a', [2]), write(2, 'b', [0, 1]))
    await checkReferences(storage, 'new.perdure')
  })

  it('names an object that is missing, and one that refers to it', async () => {
    await using storage = await storageOf(write(0, 'root', [1]), write(1, 'a', [0, 7]))
    const error = await failure('PERDURE_OBJECT_MISSING', () => checkReferences(storage, 'new.perdure'))
    expect(error.details).to.deep.equal({ oid: 7, referrer: 1 })
    expect(error.message).to.include('new.perdure')
  })
})

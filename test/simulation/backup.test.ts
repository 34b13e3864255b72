import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { expect } from 'chai'
import { encodeRecord } from '../../src/core/record.js'
import { FileStorage } from '../../src/storages/file.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const COMMITS = 200

describe('A copy of the first bytes of a journal that is being written', () => {
  let directory: TemporaryDirectory
  let storage: FileStorage

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    storage = await FileStorage.open(directory.join('database'))
  })

  afterEach(async () => {
    await storage.close()
    directory.remove()
  })

  it('is the whole database as it was then', async () => {
    const commits = Array.from({ length: COMMITS }, (_, i) =>
      storage.commit({ base: i, reads: [], writes: [{ oid: 0, data: encodeRecord('A', [], Buffer.alloc(3000, i)) }] }),
    )
    await commits[COMMITS / 2]
    const { bytes } = storage.statistics()
    const { tid } = storage.statistics()
    const copied = pipeline(
      createReadStream(directory.join('database'), { end: bytes - 1 }),
      createWriteStream(directory.join('copy')),
    )
    await Promise.all([copied, ...commits])

    const copy = await FileStorage.open(directory.join('copy'))
    try {
      expect(copy.recovery).to.include({ checkpoint: 'missing', cutAt: undefined })
      const { transactionsReplayed } = copy.recovery
      expect(transactionsReplayed).to.be.within(COMMITS / 2 + 1, tid)
      expect(copy.snapshot().load(0)?.tid).to.equal(transactionsReplayed)
    } finally {
      await copy.close()
    }
  })
})

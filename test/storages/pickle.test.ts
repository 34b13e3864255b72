import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { ANY_CLASS, encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { open } from '../../src/index.js'
import { registerSerializer } from '../../src/serializers/registry.js'
import { FileStorage, MemoryStorage } from '../../src/storages/index.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('A database of pickles', () => {
  let directory: TemporaryDirectory
  const path = () => directory.join('pickles.perdure')

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** States that no serializer of the package can decode. */
  const state = Uint8Array.of(0xc1, 0xc1, 0xff)

  function record(...references: readonly [number, string][]): Uint8Array {
    const list = references.map(([oid, className]) => new Reference(oid, className))
    return encodeRecord('module.Thing', list, state)
  }

  it('is verified without decoding a state, and its references may be of any class', async () => {
    await using storage = await FileStorage.open(path(), { serializer: 'pickle' })
    const root = { oid: 0, data: record([1, ANY_CLASS], [0, 'module.Thing']) }
    await storage.commit({ base: 0, reads: [], writes: [root, { oid: 1, data: record() }] })
    const report = await storage.verify()
    expect(report.problems).to.deep.equal([])
    expect(report.classes).to.deep.equal(new Map([['module.Thing', 2]]))
  })

  it('is verified for references to objects of another class than is named', async () => {
    await using storage = await FileStorage.open(path(), { serializer: 'pickle' })
    const root = { oid: 0, data: record([1, 'module.Other']) }
    await storage.commit({ base: 0, reads: [], writes: [root, { oid: 1, data: record() }] })
    expect((await storage.verify()).problems).to.containSubset([{ kind: 'wrong-class', oid: 0 }])
  })

  it('is not opened by open(), which names the file and leaves it alone', async () => {
    await (await FileStorage.open(path(), { serializer: 'pickle' })).close()
    for (const options of [{}, { serializer: 'pickle' }]) {
      const error = await failure('PERDURE_SERIALIZER', () => open(path(), options))
      expect(error.message).to.match(/pickles.*import it/)
    }
    expect((await failure('PERDURE_SERIALIZER', () => open(path()))).details.path).to.equal(path())
    await using storage = await FileStorage.open(path())
    expect([storage.serializer, storage.statistics().tid]).to.deep.equal(['pickle', 0])
  })

  it('is not created by open(), and gets no root', async () => {
    await failure('PERDURE_SERIALIZER', () => open(path(), { serializer: 'pickle' }))
    expect(existsSync(path())).to.equal(false)
    await failure('PERDURE_SERIALIZER', () => open(new MemoryStorage({ serializer: 'pickle' })))
  })

  it('keeps its name from being taken by a serializer', async () => {
    const pickle = { name: 'pickle', encode: () => state, decode: () => ({}) }
    await failure('PERDURE_SERIALIZER', () => registerSerializer(pickle))
  })
})

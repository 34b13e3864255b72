import { expect } from 'chai'
import type { Storage } from '../../../src/core/storage.js'
import { FileStorage, MemoryStorage } from '../../../src/storages/index.js'
import { condition } from '../../support/condition.js'
import { durusRecord } from '../../support/durus-client.js'
import { DURUS_ROOT, DurusStage } from '../../support/durus-stage.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

/** Cannot say what has changed, as after a pack that removes very much. */
class ForgetfulStorage extends MemoryStorage {
  override changes(): undefined {
    return undefined
  }
}

describe('A pack that a Durus client asks for', () => {
  const stage = new DurusStage()
  let directory: TemporaryDirectory
  const path = () => directory.join('packed.perdure')

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(async () => {
    await stage.close()
    directory.remove()
  })

  const storages: [string, () => Promise<Storage>][] = [
    ['a MemoryStorage', async () => new MemoryStorage({ serializer: 'pickle' })],
    ['a FileStorage', () => FileStorage.open(path(), { serializer: 'pickle' })],
  ]
  for (const [name, open] of storages) {
    it(`removes from ${name} what cannot be reached, and the others are told of it`, async () => {
      const { server, client, connect } = await stage.startWithRoot({}, await open())
      const [kept, lost] = (await client.newOids(2)) as [number, number]
      const objects = [
        { oid: kept, data: 'kept' },
        { oid: lost, data: 'lost' },
      ]
      await client.commit({ ...DURUS_ROOT, references: [kept, lost] }, ...objects)
      await client.commit({ ...DURUS_ROOT, references: [kept] })
      const other = await connect()
      expect(await client.pack()).to.equal('O')
      await condition(() => server.count('packed') === 1)

      expect(await other.bulkLoad([lost, 77])).to.deep.equal(['I', 'K'])
      expect(await other.sync()).to.deep.equal([lost])
      expect(await other.bulkLoad([kept, lost])).to.deep.equal([durusRecord({ oid: kept, data: 'kept' }), 'K'])
      expect(await other.load(0)).to.deep.equal(durusRecord({ ...DURUS_ROOT, references: [kept] }))

      // A client that would not listen to the list.
      expect(await client.commit({ ...DURUS_ROOT, references: [kept, lost] })).to.equal('I')
      expect(await other.sync()).to.deep.equal([])
      expect(await client.commit({ ...DURUS_ROOT, references: [] })).to.equal('O')
    })
  }

  describe('removes an object that another one has at hand, who then', () => {
    async function stored(storage: Storage) {
      const { client, connect } = await stage.startWithRoot({}, storage)
      const lost = await client.newOid()
      await client.commit({ ...DURUS_ROOT, references: [lost] }, { oid: lost, data: 'lost' })
      await client.commit(DURUS_ROOT)
      return { other: await connect(), lost }
    }

    it('gets a conflict for storing it, if it was removed just before its transaction', async () => {
      const storage = new MemoryStorage({ serializer: 'pickle' })
      const { other, lost } = await stored(storage)
      expect(await other.beginCommit()).to.deep.equal([])
      await storage.pack()
      expect(await other.finishCommit([{ oid: lost, data: 'found' }])).to.equal('I')
      expect(await other.sync()).to.deep.equal([lost])
      expect(await other.commit({ ...DURUS_ROOT, data: 'more' })).to.equal('O')
    })

    it('gets a conflict, too, if nobody knows any more what was removed', async () => {
      const storage = new ForgetfulStorage({ serializer: 'pickle' })
      const { other, lost } = await stored(storage)
      await storage.pack()
      expect(await other.beginCommit()).to.deep.equal([])
      expect(await other.finishCommit([{ oid: lost, data: 'found' }])).to.equal('I')
      expect(await other.load(lost)).to.equal('K')
      expect(await other.commit({ ...DURUS_ROOT, data: 'more' })).to.equal('O')
    })
  })

  it('leaves a file that is sound, and does not give oids again', async () => {
    const { server, client } = await stage.startWithRoot({}, await FileStorage.open(path(), { serializer: 'pickle' }))
    const oids = await client.newOids(20)
    await client.commit({ ...DURUS_ROOT, references: oids }, ...oids.map((oid) => ({ oid, data: `${oid}` })))
    await client.commit({ ...DURUS_ROOT, references: [5] })
    await client.pack()
    await condition(() => server.count('packed') === 1)
    expect(await client.newOid()).to.be.greaterThan(20)
    await stage.close()

    await using storage = await FileStorage.open(path())
    const { objects, problems } = await storage.verify()
    expect([objects, problems]).to.deep.equal([2, []])
  })
})

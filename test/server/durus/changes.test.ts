import { expect } from 'chai'
import type { Oid, Tid } from '../../../src/core/oid.js'
import { FileStorage, MemoryStorage } from '../../../src/storages/index.js'
import { DelegatingStorage } from '../../isolation/delegating-storage.js'
import { type DurusObject, durusRecord } from '../../support/durus-client.js'
import { DURUS_ROOT, DurusStage } from '../../support/durus-stage.js'

/** Says of one object that every transaction has removed it, as packs do. */
class RemovingStorage extends DelegatingStorage {
  removed: Oid | undefined

  override changes(after: Tid, upTo: Tid): Oid[] {
    const changes = [...(super.changes(after, upTo) ?? [])]
    return this.removed === undefined ? changes : [...changes, this.removed]
  }
}

describe('Protocol 1 when objects change', () => {
  const stage = new DurusStage()

  afterEach(() => stage.close())

  it('tells each client once what others have changed, and nobody what he changed himself', async () => {
    const { client: first, connect } = await stage.startWithRoot()
    const second = await connect()
    const [a, b] = (await first.newOids(2)) as [number, number]
    expect(
      await first.commit({ ...DURUS_ROOT, references: [a, b] }, { oid: a, data: 'a' }, { oid: b, data: 'b' }),
    ).to.equal('O')
    expect(await first.commit({ oid: a, data: 'aa' })).to.equal('O')
    expect(await first.sync()).to.deep.equal([])
    expect((await second.sync()).toSorted()).to.deep.equal([0, a, b])
    expect(await second.sync()).to.deep.equal([])
    expect(await second.beginCommit()).to.deep.equal([])
    expect(await second.finishCommit([{ oid: b, data: 'bb' }])).to.equal('O')
    expect(await first.beginCommit()).to.deep.equal([b])
    first.giveUp()
    expect(await first.sync()).to.deep.equal([])
  })

  it('answers I for what a client has not been told of, until it syncs', async () => {
    const { client: first, connect } = await stage.startWithRoot()
    const second = await connect()
    const [a] = (await first.newOids(1)) as [number]
    expect(await first.commit({ ...DURUS_ROOT, references: [a] }, { oid: a, data: 'a' })).to.equal('O')
    expect(await second.load(0)).to.equal('I')
    expect(await second.bulkLoad([0, a, 77])).to.deep.equal(['I', 'I', 'K'])
    await second.sync()
    expect(await second.load(a)).to.deep.equal(durusRecord({ oid: a, data: 'a' }))
    expect(await first.load(a)).to.deep.equal(durusRecord({ oid: a, data: 'a' }))
  })

  it('answers I for what was removed since a client was told, and K for what was not there', async () => {
    const storage = new RemovingStorage(new MemoryStorage({ serializer: 'pickle' }))
    const { client: first, connect } = await stage.startWithRoot({}, storage)
    const second = await connect()
    storage.removed = 5
    expect(await first.commit({ ...DURUS_ROOT, data: 'newer' })).to.equal('O')
    expect(await second.bulkLoad([5, 6])).to.deep.equal(['I', 'K'])
    expect(await second.load(5)).to.equal('I')
    expect((await second.sync()).toSorted()).to.deep.equal([0, 5])
    expect(await second.bulkLoad([5, 6])).to.deep.equal(['K', 'K'])
  })

  it('lets a client that sees a conflict give up, and another one commit afterwards', async () => {
    const { server, client: first, connect } = await stage.startWithRoot()
    const second = await connect()
    expect(await first.commit({ ...DURUS_ROOT, data: 'newer' })).to.equal('O')
    expect(await second.beginCommit()).to.deep.equal([0])
    second.giveUp()
    expect(await first.commit({ ...DURUS_ROOT, data: 'newest' })).to.equal('O')
    expect(await second.sync()).to.deep.equal([0])
    expect(await second.load(0)).to.deep.equal(durusRecord({ oid: 0, data: 'newest' }))
    expect(server.server.figures).to.include({ commits: 3, conflicts: 0 })
  })

  it('answers I when somebody commits who does not pass the gate', async () => {
    const { server, client } = await stage.startWithRoot()
    const { storage } = server.service
    await client.beginCommit()
    const { data } = server.service.atNewest((snapshot) => snapshot.load(0)) as { data: Uint8Array }
    const base = storage.statistics().tid
    expect(await storage.commit({ base, reads: [], writes: [{ oid: 0, data }] })).to.have.property('tid')
    expect(await client.finishCommit([{ ...DURUS_ROOT, data: 'mine' }])).to.equal('I')
    expect(await client.sync()).to.deep.equal([0])
    expect(await client.commit({ ...DURUS_ROOT, data: 'mine' })).to.equal('O')
    expect(server.server.figures.conflicts).to.equal(1)
  })

  it('tells of others that committed in between together with its own commit, rather than not', async () => {
    const { server, client } = await stage.startWithRoot()
    const [a, b] = (await client.newOids(2)) as [number, number]
    await client.commit({ ...DURUS_ROOT, references: [a, b] }, { oid: a, data: 'a' }, { oid: b, data: 'b' })
    const { storage } = server.service
    await client.beginCommit()
    const { data } = server.service.atNewest((snapshot) => snapshot.load(a)) as { data: Uint8Array }
    await storage.commit({ base: storage.statistics().tid, reads: [], writes: [{ oid: a, data }] })
    expect(await client.finishCommit([{ oid: b, data: 'bb' }])).to.equal('O')
    expect(await client.load(a)).to.equal('I')
    expect((await client.sync()).toSorted()).to.deep.equal([a, b])
    expect(await client.load(b)).to.deep.equal(durusRecord({ oid: b, data: 'bb' }))
  })

  it('finds the changes by looking at all objects when there are too many to remember', async () => {
    const storage = await FileStorage.open(undefined, { serializer: 'pickle', durability: 'os' })
    const server = await stage.start({}, storage)
    const first = await stage.connect(server)
    expect(await first.commit(DURUS_ROOT)).to.equal('O')
    const second = await stage.connect(server)
    const objects: DurusObject[] = []
    while (objects.length < 66_000) {
      for (const oid of await first.newOids(255)) objects.push({ oid, data: '' })
    }
    expect(await first.commit(...objects)).to.equal('O')
    expect(await second.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
    expect(await second.load(objects[5]?.oid as number)).to.equal('I')
    const list = await second.sync()
    expect(list).to.have.lengthOf(objects.length)
    expect(new Set(list)).to.deep.equal(new Set(objects.map(({ oid }) => oid)))
    expect(await second.beginCommit()).to.deep.equal([])
    second.giveUp()
  })
})

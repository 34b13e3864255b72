import { expect } from 'chai'
import { condition } from '../../support/condition.js'
import { durusRecord, durusTransaction } from '../../support/durus-client.js'
import { DURUS_ROOT, DurusStage } from '../../support/durus-stage.js'

describe('Protocol 1 in an empty database', () => {
  const stage = new DurusStage()

  afterEach(() => stage.close())

  it('hands out the oid of the root first, and it is there for the next client', async () => {
    const server = await stage.start()
    const first = await stage.connect(server)
    expect(await first.load(0)).to.equal('K')
    expect(await first.newOids(3)).to.deep.equal([0, 1, 2])
    expect(await first.newOid()).to.equal(3)
    expect(await first.commit(DURUS_ROOT)).to.equal('O')
    const second = await stage.connect(server)
    expect(await second.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
    expect(await second.newOid()).to.equal(4)
  })

  it('lets the second client wait until the first has made the root', async () => {
    const server = await stage.start({ limits: { rootMs: 60_000 } })
    const [first, second] = [await stage.connect(server), await stage.connect(server)]
    expect(await first.load(0)).to.equal('K')
    const loaded = second.load(0)
    await condition(() => server.service.rootClaim.waiting === 1)
    expect(await first.commit(DURUS_ROOT)).to.equal('O')
    expect(await loaded).to.equal('I')
    expect(await second.sync()).to.deep.equal([0])
    expect(await second.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
  })

  it('gives the oid of the root to another client when the first goes away', async () => {
    const server = await stage.start({ limits: { rootMs: 60_000 } })
    const [first, second] = [await stage.connect(server), await stage.connect(server)]
    expect(await first.load(0)).to.equal('K')
    expect(await first.newOid()).to.equal(0)
    const loaded = second.load(0)
    await condition(() => server.service.rootClaim.waiting === 1)
    first.socket.destroy()
    expect(await loaded).to.equal('K')
    expect(await second.newOid()).to.equal(0)
    expect(await second.commit(DURUS_ROOT)).to.equal('O')
  })

  it('does not wait for ever, and never has two clients make the root', async () => {
    const server = await stage.start({ limits: { rootMs: 20 } })
    const [first, second] = [await stage.connect(server), await stage.connect(server)]
    expect(await first.newOid()).to.equal(0)
    expect(await second.load(0)).to.equal('K')
    expect(await second.newOid()).to.equal(1)
    expect(await second.commit(DURUS_ROOT)).to.equal('O')
    // The first one's oid 0 could be for any object by now.
    await first.beginCommit()
    first.send(durusTransaction([{ oid: 0, data: 'something else' }]))
    await first.rest()
    await server.blamed(/object 0.*another one has made the root/)
    expect(await second.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
  })
})

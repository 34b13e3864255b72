import { randomBytes } from 'node:crypto'
import { connect as connectSocket } from 'node:net'
import { expect } from 'chai'
import { encodeRecord } from '../../../src/core/record.js'
import { PREFACE } from '../../../src/server/protocol/messages.js'
import { condition } from '../../support/condition.js'
import { durusRecord, durusTransaction, int4, int8 } from '../../support/durus-client.js'
import { DURUS_ROOT, DurusStage } from '../../support/durus-stage.js'
import { ProtocolClient } from '../../support/test-server.js'

describe('A commit of protocol 1', () => {
  const stage = new DurusStage()

  afterEach(() => stage.close())

  it('lets nobody else commit, and everybody load and sync', async () => {
    const { server, client: first, connect } = await stage.startWithRoot()
    const second = await connect()
    expect(await first.beginCommit()).to.deep.equal([])
    const waiting = second.beginCommit()
    await condition(() => server.gate.waiting === 1)
    let passed = false
    const together = server.gate.together(async () => {
      passed = true
    })
    const third = await connect()
    expect(await third.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
    expect(await third.sync()).to.deep.equal([])
    expect(passed).to.equal(false)
    expect(await first.finishCommit([{ ...DURUS_ROOT, data: 'first' }])).to.equal('O')
    expect(await waiting).to.deep.equal([0])
    second.giveUp()
    await together
    expect([passed, server.gate.inside]).to.deep.equal([true, 0])
  })

  it('keeps clients of protocol 2 from committing, and they see its outcome', async () => {
    const { server, client } = await stage.startWithRoot()
    const socket = connectSocket(server.port, '127.0.0.1')
    const other = new ProtocolClient(socket)
    socket.write(PREFACE)
    await other.hello()
    const commit = (base: number) => {
      const writes = [{ oid: 0, data: encodeRecord('Thing', [], Buffer.from('theirs')) }]
      return other.request({ type: 'commit', base, token: randomBytes(16), note: '', user: '', reads: [], writes })
    }
    expect(await client.beginCommit()).to.deep.equal([])
    const waiting = commit(1)
    await condition(() => server.gate.waiting === 1)
    expect(await client.finishCommit([{ ...DURUS_ROOT, data: 'mine' }])).to.equal('O')
    expect((await waiting).reply.type).to.equal('conflicts')
    expect((await commit(2)).reply.type).to.equal('committed')
    expect(await client.load(0)).to.equal('I')
    expect(await client.sync()).to.deep.equal([0])
    expect(await client.load(0)).to.deep.equal(durusRecord({ oid: 0, data: 'theirs' }))
    socket.destroy()
  })

  it('does not wait for a client that is gone, inside or outside the gate', async () => {
    const { server, client: first, connect } = await stage.startWithRoot()
    const [second, third] = [await connect(), await connect()]
    await first.beginCommit()
    const given = second.beginCommit().catch(() => 'gone')
    await condition(() => server.gate.waiting === 1)
    second.socket.destroy()
    await condition(() => server.gate.waiting === 0)
    expect(await given).to.equal('gone')
    first.socket.destroy()
    expect(await third.commit({ ...DURUS_ROOT, data: 'third' })).to.equal('O')
  })

  for (const [what, limits] of [
    ['is silent', { silenceMs: 50 }],
    ['takes too long', { commitMs: 50 }],
  ] as const) {
    it(`throws out a client that ${what}, and stores nothing of it`, async () => {
      const { server, client: first, connect } = await stage.startWithRoot({ limits })
      const second = await connect()
      await first.beginCommit()
      const bytes = durusTransaction([{ ...DURUS_ROOT, data: 'first' }])
      first.send(bytes.subarray(0, bytes.length - 1))
      expect(await second.beginCommit()).to.deep.equal([])
      expect(await second.finishCommit([{ ...DURUS_ROOT, data: 'second' }])).to.equal('O')
      expect(await first.rest()).to.have.lengthOf(0)
      await server.blamed(/50 ms/)
    })
  }

  it('stores what a client has sent completely, even if it does not wait for the answer', async () => {
    const { server, client } = await stage.startWithRoot()
    client.send('C', durusTransaction([{ ...DURUS_ROOT, data: 'last words' }]), '.')
    await client.rest()
    const next = await stage.connect(server)
    expect(await next.load(0)).to.deep.equal(durusRecord({ oid: 0, data: 'last words' }))
  })

  const wrong: [string, RegExp, () => (string | Buffer)[]][] = [
    ['an oid it was not given', /object 500, but it was not given/, () => [durusTransaction([{ oid: 500, data: '' }])]],
    ['one object twice', /stores object 0 twice/, () => [durusTransaction([DURUS_ROOT, DURUS_ROOT])]],
    ['an oid above 2^53', /no object can have/, () => [int4(24), int4(20), int8(2n ** 60n), int8(2n ** 60n), int4(0)]],
    [
      'a record of another oid',
      /begins with another oid/,
      () => [int4(24), int4(20), int8(0), durusRecord({ oid: 1, data: '' })],
    ],
    ['data that is longer than its record', /data is longer/, () => [int4(24), int4(20), int8(0), int8(0), int4(1)]],
    ['half a reference', /cut off/, () => [int4(28), int4(24), int8(0), int8(0), int4(0), int4(0)]],
    ['a record longer than the transaction', /add up/, () => [int4(24), int4(21), int8(0), int8(0), int4(0)]],
    ['a record too short to be one', /add up/, () => [int4(24), int4(19), int8(0), int8(0), int4(0)]],
    ['a rest too short for a length', /add up/, () => [int4(3), Buffer.alloc(3)]],
  ]
  for (const [what, message, parts] of wrong) {
    it(`throws out a client that stores ${what}`, async () => {
      const { server, client } = await stage.startWithRoot()
      const before = server.storage.statistics().tid
      await client.beginCommit()
      client.send(...parts())
      expect(await client.rest()).to.have.lengthOf(0)
      await server.blamed(message)
      expect([server.gate.inside, server.storage.statistics().tid]).to.deep.equal([0, before])
    })
  }

  it('refuses the oid of another client', async () => {
    const { server, client: first, connect } = await stage.startWithRoot()
    const second = await connect()
    const oid = await first.newOid()
    await second.beginCommit()
    second.send(durusTransaction([{ oid, data: '' }]))
    await second.rest()
    await server.blamed(/not given/)
    expect(await first.commit({ oid, data: '' })).to.equal('O')
  })

  it('takes an oid again after a commit that was given up', async () => {
    const { client } = await stage.startWithRoot()
    const oid = await client.newOid()
    await client.beginCommit()
    client.giveUp()
    expect(await client.commit({ oid, data: '' })).to.equal('O')
  })
})

import { expect } from 'chai'
import { PerdureError } from '../../../src/core/errors.js'
import { anonymous } from '../../../src/server/authentication.js'
import type { Protocol1Limits } from '../../../src/server/durus/limits.js'
import { MemoryStorage } from '../../../src/storages/index.js'
import { condition } from '../../support/condition.js'
import { DurusClient, durusRecord, durusTransaction, int4, int8 } from '../../support/durus-client.js'
import { DURUS_ROOT, DurusStage } from '../../support/durus-stage.js'
import { SlowStorage } from '../../support/slow-storage.js'

describe('A session of protocol 1', () => {
  const stage = new DurusStage()

  afterEach(() => stage.close())

  it('sends records back byte for byte, large ones too', async () => {
    const { client, connect } = await stage.startWithRoot()
    const oids = await client.newOids(200)
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7) % 256)).toString('latin1')
    const objects = oids.map((oid, i) => ({ oid, data: bytes.slice(0, i * 997), references: oids.slice(0, i % 5) }))
    const large = { oid: await client.newOid(), data: 'x'.repeat(3_000_000), references: [...oids, ...oids] }
    expect(await client.commit(...objects, large)).to.equal('O')
    const reader = await connect()
    const sent = [large, ...objects].map(durusRecord)
    const loaded = [await reader.load(large.oid), ...(await reader.bulkLoad([...oids, 9999]))]
    expect(loaded.pop()).to.equal('K')
    // One comparison each: an assertion on buffers would look at every byte by itself.
    expect(loaded.map((record, i) => sent[i]?.equals(record as Buffer))).to.deep.equal(sent.map(() => true))
    expect(await reader.bulkLoad([])).to.deep.equal([])
    expect(await reader.load(2n ** 60n)).to.equal('K')
  })

  it('answers everything when a client sends all its requests before it reads', async () => {
    const { client } = await stage.startWithRoot()
    const oids = Array.from({ length: 20_000 }, () => 0)
    client.socket.pause()
    client.send('B', int4(oids.length), ...oids.map(int8), 'S', 'N', 'M', Buffer.of(0), 'L', int8(0))
    client.socket.resume()
    const record = durusRecord(DURUS_ROOT)
    const one = Buffer.concat([Buffer.from('O'), int4(record.length), record])
    expect((await client.read(oids.length * one.length)).equals(Buffer.concat(oids.map(() => one)))).to.equal(true)
    expect(await client.read(4 + 8)).to.deep.equal(Buffer.concat([int4(0), int8(1)]))
    expect(await client.read(one.length)).to.deep.equal(one)
  })

  it('answers P at once and packs behind it, once at a time', async () => {
    const storage = new SlowStorage()
    const { server, client } = await stage.startWithRoot({}, storage)
    expect([await client.pack(), await client.pack()]).to.deep.equal(['O', 'O'])
    expect(await client.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
    storage.proceed()
    await condition(() => server.count('packed') === 1)
    expect(await client.pack()).to.equal('O')
    storage.proceed()
    await condition(() => server.count('packed') === 2)
    expect(server.blames).to.deep.equal([])
  })

  it('says only in the log that a pack was not done', async () => {
    const storage = new SlowStorage()
    const { server, client } = await stage.startWithRoot({}, storage)
    expect(await client.pack()).to.equal('O')
    storage.proceed(new PerdureError('PERDURE_BUSY', 'Another pack is under way.'))
    await condition(() => server.count('packFailed') === 1)
    expect(await client.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
  })

  it('stops the server for Q, if that is allowed, and else only the session', async () => {
    let stopped = 0
    const allowed = await stage.startWithRoot({ allowStop: true, onStopRequest: () => stopped++ })
    allowed.client.send('Q')
    await allowed.client.rest()
    // What Durus's own command sends, without a greeting.
    const command = await DurusClient.raw(allowed.server.port)
    command.send('Q')
    await command.rest()
    expect(stopped).to.equal(2)

    const { server, client } = await stage.startWithRoot()
    client.send('Q')
    expect(await client.rest()).to.have.lengthOf(0)
    await server.blamed(/stop, which it may not/)
    const next = await stage.connect(server)
    expect(await next.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
  })

  it('neither packs nor stops for a client that is no admin', async () => {
    let stopped = 0
    const authenticator = anonymous('writer')
    for (const [command, name] of [
      ['P', 'pack'],
      ['Q', 'stop'],
    ] as const) {
      const options = { authenticator, allowStop: true, onStopRequest: () => stopped++ }
      const { server, client } = await stage.startWithRoot(options)
      client.send(command)
      expect(await client.rest()).to.have.lengthOf(0)
      await server.blamed(new RegExp(`'${name}' needs the role admin`))
      expect(server.count('packed')).to.equal(0)
    }
    expect(stopped).to.equal(0)
  })

  it('says its version to a client of another, and hangs up', async () => {
    const server = await stage.start()
    const client = await DurusClient.raw(server.port)
    client.send('V', int4(3), 'S')
    expect(await client.rest()).to.deep.equal(int4(1))
    await server.blamed(/version 3/)
  })

  it('says another version to a client it may not serve, and hangs up', async () => {
    const readers = await stage.start({ authenticator: anonymous('reader') })
    const members = await stage.start({ authenticator: { ...anonymous('reader'), identify: () => undefined } })
    const msgpack = await stage.start({}, new MemoryStorage())
    for (const [server, message] of [
      [readers, /strangers may write/],
      [members, /strangers may write/],
      [msgpack, /serializer is msgpack/],
    ] as const) {
      const client = await DurusClient.raw(server.port)
      client.send('V', int4(1), 'L', int8(0))
      expect(await client.rest()).to.deep.equal(int4(2))
      await server.blamed(message)
    }
  })

  it('throws out a client that sends no command', async () => {
    const { server, client } = await stage.startWithRoot()
    client.send('X')
    expect(await client.rest()).to.have.lengthOf(0)
    await server.blamed(/88, which is no command/)
  })

  it('throws out a client that stops in the middle of a request, but not one between requests', async () => {
    const { server, client: idle, connect } = await stage.startWithRoot({ limits: { silenceMs: 50 } })
    const client = await connect()
    client.send('L', Buffer.alloc(7))
    expect(await client.rest()).to.have.lengthOf(0)
    await server.blamed(/silent for 50 ms/)
    expect(await idle.sync()).to.deep.equal([])
  })

  it('throws out a client that does not take its answer, holding no more of it than fits on the way', async () => {
    const { server, client } = await stage.startWithRoot({ limits: { silenceMs: 200 } })
    const oid = await client.newOid()
    await client.commit({ oid, data: 'x'.repeat(1_000_000) })
    client.socket.pause()
    client.send('B', int4(500), ...Array.from({ length: 500 }, () => int8(oid)))
    await server.blamed(/not taken its answer/)
    expect(server.server.figures.loads).to.be.below(100)
  })

  const limited: [string, Partial<Protocol1Limits>, RegExp, (client: DurusClient) => Promise<void>][] = [
    ['objects in one load', { bulkOids: 10 }, /10 are allowed/, async (client) => client.send('B', int4(0xffffffff))],
    [
      'bytes in one transaction',
      { transactionBytes: 1000 },
      /1000 are allowed/,
      async (client) => client.send('C', int4(0xffffffff)),
    ],
    [
      'small objects in one transaction',
      { transactionBytes: 10_000 },
      /10000 are allowed/,
      async (client) => {
        const objects = (await client.newOids(100)).map((oid) => ({ oid, data: '' }))
        client.send('C', durusTransaction(objects))
      },
    ],
    [
      'oids that are not used',
      { unusedOids: 100 },
      /more than 100 oids/,
      async (client) => client.send('M', Buffer.of(101)),
    ],
  ]
  for (const [what, limits, message, send] of limited) {
    it(`throws out a client that wants too many ${what}`, async () => {
      const { server, client } = await stage.startWithRoot({ limits })
      await send(client)
      await client.rest()
      await server.blamed(message)
      expect(server.gate.inside).to.equal(0)
    })
  }

  it('finishes the commit under way when the server stops, and answers it', async () => {
    const storage = new SlowStorage()
    const { server, client, connect } = await stage.startWithRoot({}, storage)
    const waiting = await connect()
    await client.beginCommit()
    storage.holdCommits()
    client.send(durusTransaction([{ ...DURUS_ROOT, data: 'last' }]))
    waiting.send('C')
    await condition(() => storage.heldCommits === 1 && server.gate.waiting === 1)
    const stopped = server.server.stop()
    expect(await waiting.rest()).to.have.lengthOf(0)
    storage.proceed()
    expect(await client.rest()).to.deep.equal(Buffer.from('O'))
    await stopped
    expect(server.blames).to.deep.equal([])
  })
})

import { expect } from 'chai'
import { PerdureError } from '../../../src/core/errors.js'
import type { Storage } from '../../../src/core/storage.js'
import type { Protocol1Options } from '../../../src/server/durus/service.js'
import { FileStorage, MemoryStorage } from '../../../src/storages/index.js'
import { condition } from '../../support/condition.js'
import { DurusClient, type DurusObject, durusRecord, durusTransaction, int4, int8 } from '../../support/durus-client.js'
import { DurusServer } from '../../support/durus-server.js'

const ROOT: DurusObject = { oid: 0, data: '\x80\x02cdurus.persistent_dict\nPersistentDict\nq\x00.{}' }

describe('A session of protocol 1', () => {
  const closing: (() => Promise<void>)[] = []

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  async function start(options: Partial<Protocol1Options> = {}, refusal?: PerdureError): Promise<DurusServer> {
    return serve(new MemoryStorage({ serializer: 'pickle' }), options, refusal)
  }

  async function serve(storage: Storage, options: Partial<Protocol1Options> = {}, refusal?: PerdureError) {
    const server = new DurusServer(storage, options, refusal)
    await server.listen()
    closing.push(
      () => storage.close(),
      () => server.close(),
    )
    return server
  }

  /** A client of a server whose database has a root. */
  async function startWithRoot(options: Partial<Protocol1Options> = {}) {
    const server = await start(options)
    const client = await DurusClient.connect(server.port)
    expect(await client.commit(ROOT)).to.equal('O')
    return { server, client, connect: () => DurusClient.connect(server.port) }
  }

  describe('in an empty database', () => {
    it('hands out the oid of the root first, and it is there for the next client', async () => {
      const { port } = await start()
      const first = await DurusClient.connect(port)
      expect(await first.load(0)).to.equal('K')
      expect(await first.newOids(3)).to.deep.equal([0, 1, 2])
      expect(await first.newOid()).to.equal(3)
      expect(await first.commit(ROOT)).to.equal('O')
      const second = await DurusClient.connect(port)
      expect(await second.load(0)).to.deep.equal(durusRecord(ROOT))
      expect(await second.newOid()).to.equal(4)
    })

    it('lets the second client wait until the first has made the root', async () => {
      const server = await start({ limits: { rootMs: 60_000 } })
      const [first, second] = [await DurusClient.connect(server.port), await DurusClient.connect(server.port)]
      expect(await first.load(0)).to.equal('K')
      const loaded = second.load(0)
      await condition(() => server.service.rootClaim.waiting === 1)
      expect(await first.commit(ROOT)).to.equal('O')
      expect(await loaded).to.equal('I')
      expect(await second.sync()).to.deep.equal([0])
      expect(await second.load(0)).to.deep.equal(durusRecord(ROOT))
    })

    it('gives the oid of the root to another client when the first goes away', async () => {
      const server = await start({ limits: { rootMs: 60_000 } })
      const [first, second] = [await DurusClient.connect(server.port), await DurusClient.connect(server.port)]
      expect(await first.load(0)).to.equal('K')
      expect(await first.newOid()).to.equal(0)
      const loaded = second.load(0)
      await condition(() => server.service.rootClaim.waiting === 1)
      first.socket.destroy()
      expect(await loaded).to.equal('K')
      expect(await second.newOid()).to.equal(0)
      expect(await second.commit(ROOT)).to.equal('O')
    })

    it('does not wait for ever, and never has two clients make the root', async () => {
      const server = await start({ limits: { rootMs: 20 } })
      const [first, second] = [await DurusClient.connect(server.port), await DurusClient.connect(server.port)]
      expect(await first.newOid()).to.equal(0)
      expect(await second.load(0)).to.equal('K')
      expect(await second.newOid()).to.equal(1)
      expect(await second.commit(ROOT)).to.equal('O')
      // The first one's oid 0 could be for any object by now.
      await first.beginCommit()
      first.send(durusTransaction([{ oid: 0, data: 'something else' }]))
      await first.rest()
      expect(server.logged('warn')[0]).to.match(/object 0.*another one has made the root/)
      expect(await second.load(0)).to.deep.equal(durusRecord(ROOT))
    })
  })

  describe('when objects change', () => {
    it('tells each client once what others have changed, and nobody what he changed himself', async () => {
      const { client: first, connect } = await startWithRoot()
      const second = await connect()
      const [a, b] = (await first.newOids(2)) as [number, number]
      expect(
        await first.commit({ ...ROOT, references: [a, b] }, { oid: a, data: 'a' }, { oid: b, data: 'b' }),
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
      const { client: first, connect } = await startWithRoot()
      const second = await connect()
      const [a] = (await first.newOids(1)) as [number]
      expect(await first.commit({ ...ROOT, references: [a] }, { oid: a, data: 'a' })).to.equal('O')
      expect(await second.load(0)).to.equal('I')
      expect(await second.bulkLoad([0, a, 77])).to.deep.equal(['I', 'I', 'K'])
      await second.sync()
      expect(await second.load(a)).to.deep.equal(durusRecord({ oid: a, data: 'a' }))
      expect(await first.load(a)).to.deep.equal(durusRecord({ oid: a, data: 'a' }))
    })

    it('lets a client that sees a conflict give up, and another one commit afterwards', async () => {
      const { server, client: first, connect } = await startWithRoot()
      const second = await connect()
      expect(await first.commit({ ...ROOT, data: 'newer' })).to.equal('O')
      expect(await second.beginCommit()).to.deep.equal([0])
      second.giveUp()
      expect(await first.commit({ ...ROOT, data: 'newest' })).to.equal('O')
      expect(await second.sync()).to.deep.equal([0])
      expect(await second.load(0)).to.deep.equal(durusRecord({ oid: 0, data: 'newest' }))
      expect(server.service.statistics).to.include({ commits: 3, conflicts: 0 })
    })

    it('answers I when somebody commits who does not pass the gate', async () => {
      const { server, client } = await startWithRoot()
      const { storage } = server.service
      await client.beginCommit()
      const { data } = server.service.atNewest((snapshot) => snapshot.load(0)) as { data: Uint8Array }
      const base = storage.statistics().tid
      expect(await storage.commit({ base, reads: [], writes: [{ oid: 0, data }] })).to.have.property('tid')
      expect(await client.finishCommit([{ ...ROOT, data: 'mine' }])).to.equal('I')
      expect(await client.sync()).to.deep.equal([0])
      expect(await client.commit({ ...ROOT, data: 'mine' })).to.equal('O')
      expect(server.service.statistics.conflicts).to.equal(1)
    })

    it('tells of others that committed in between together with its own commit, rather than not', async () => {
      const { server, client } = await startWithRoot()
      const [a, b] = (await client.newOids(2)) as [number, number]
      await client.commit({ ...ROOT, references: [a, b] }, { oid: a, data: 'a' }, { oid: b, data: 'b' })
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
      const server = await serve(await FileStorage.open(undefined, { serializer: 'pickle', durability: 'os' }))
      const first = await DurusClient.connect(server.port)
      expect(await first.commit(ROOT)).to.equal('O')
      const second = await DurusClient.connect(server.port)
      const objects: DurusObject[] = []
      while (objects.length < 66_000) {
        for (const oid of await first.newOids(255)) objects.push({ oid, data: '' })
      }
      expect(await first.commit(...objects)).to.equal('O')
      expect(await second.load(0)).to.deep.equal(durusRecord(ROOT))
      expect(await second.load(objects[5]?.oid as number)).to.equal('I')
      const list = await second.sync()
      expect(list).to.have.lengthOf(objects.length)
      expect(new Set(list)).to.deep.equal(new Set(objects.map(({ oid }) => oid)))
      expect(await second.beginCommit()).to.deep.equal([])
      second.giveUp()
    })
  })

  describe('in a commit', () => {
    it('lets nobody else commit, and everybody load and sync', async () => {
      const { server, client: first, connect } = await startWithRoot()
      const second = await connect()
      expect(await first.beginCommit()).to.deep.equal([])
      const waiting = second.beginCommit()
      await condition(() => server.gate.waiting === 1)
      let passed = false
      const together = server.gate.together(async () => {
        passed = true
      })
      const third = await connect()
      expect(await third.load(0)).to.deep.equal(durusRecord(ROOT))
      expect(await third.sync()).to.deep.equal([])
      expect(passed).to.equal(false)
      expect(await first.finishCommit([{ ...ROOT, data: 'first' }])).to.equal('O')
      expect(await waiting).to.deep.equal([0])
      second.giveUp()
      await together
      expect([passed, server.gate.inside]).to.deep.equal([true, 0])
    })

    it('does not wait for a client that is gone, inside or outside the gate', async () => {
      const { server, client: first, connect } = await startWithRoot()
      const [second, third] = [await connect(), await connect()]
      await first.beginCommit()
      const given = second.beginCommit().catch(() => 'gone')
      await condition(() => server.gate.waiting === 1)
      second.socket.destroy()
      await condition(() => server.gate.waiting === 0)
      expect(await given).to.equal('gone')
      first.socket.destroy()
      expect(await third.commit({ ...ROOT, data: 'third' })).to.equal('O')
    })

    for (const [what, limits] of [
      ['is silent', { silenceMs: 50 }],
      ['takes too long', { commitMs: 50 }],
    ] as const) {
      it(`throws out a client that ${what}, and stores nothing of it`, async () => {
        const { server, client: first, connect } = await startWithRoot({ limits })
        const second = await connect()
        await first.beginCommit()
        const bytes = durusTransaction([{ ...ROOT, data: 'first' }])
        first.send(bytes.subarray(0, bytes.length - 1))
        expect(await second.beginCommit()).to.deep.equal([])
        expect(await second.finishCommit([{ ...ROOT, data: 'second' }])).to.equal('O')
        expect(await first.rest()).to.have.lengthOf(0)
        expect(server.logged('warn')[0]).to.match(/50 ms/)
      })
    }

    it('stores what a client has sent completely, even if it does not wait for the answer', async () => {
      const { server, client } = await startWithRoot()
      client.send('C', durusTransaction([{ ...ROOT, data: 'last words' }]), '.')
      await client.rest()
      const next = await DurusClient.connect(server.port)
      expect(await next.load(0)).to.deep.equal(durusRecord({ oid: 0, data: 'last words' }))
    })

    const wrong: [string, RegExp, () => (string | Buffer)[]][] = [
      [
        'an oid it was not given',
        /object 500, but it was not given/,
        () => [durusTransaction([{ oid: 500, data: '' }])],
      ],
      ['one object twice', /stores object 0 twice/, () => [durusTransaction([ROOT, ROOT])]],
      [
        'an oid above 2^53',
        /no object can have/,
        () => [int4(24), int4(20), int8(2n ** 60n), int8(2n ** 60n), int4(0)],
      ],
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
        const { server, client } = await startWithRoot()
        const before = server.service.storage.statistics().tid
        await client.beginCommit()
        client.send(...parts())
        expect(await client.rest()).to.have.lengthOf(0)
        expect(server.logged('warn')[0]).to.match(message)
        expect([server.gate.inside, server.service.storage.statistics().tid]).to.deep.equal([0, before])
      })
    }

    it('refuses the oid of another client', async () => {
      const { server, client: first, connect } = await startWithRoot()
      const second = await connect()
      const oid = await first.newOid()
      await second.beginCommit()
      second.send(durusTransaction([{ oid, data: '' }]))
      await second.rest()
      expect(server.logged('warn')[0]).to.match(/not given/)
      expect(await first.commit({ oid, data: '' })).to.equal('O')
    })

    it('takes an oid again after a commit that was given up', async () => {
      const { client } = await startWithRoot()
      const oid = await client.newOid()
      await client.beginCommit()
      client.giveUp()
      expect(await client.commit({ oid, data: '' })).to.equal('O')
    })
  })

  it('sends records back byte for byte, large ones too', async () => {
    const { client, connect } = await startWithRoot()
    const oids = await client.newOids(200)
    const data = (length: number) => Array.from({ length }, (_, i) => String.fromCharCode((i * 7) % 256)).join('')
    const objects = oids.map((oid, i) => ({ oid, data: data(i * 997), references: oids.slice(0, i % 5) }))
    const large = { oid: await client.newOid(), data: 'x'.repeat(3_000_000), references: [...oids, ...oids] }
    expect(await client.commit(...objects, large)).to.equal('O')
    const reader = await connect()
    expect(await reader.load(large.oid)).to.deep.equal(durusRecord(large))
    const loaded = await reader.bulkLoad([...oids, 9999, 0])
    expect(loaded.slice(0, 200)).to.deep.equal(objects.map(durusRecord))
    expect(loaded.slice(200)).to.deep.equal(['K', durusRecord(ROOT)])
    expect(await reader.bulkLoad([])).to.deep.equal([])
    expect(await reader.load(2n ** 60n)).to.equal('K')
  })

  it('answers everything when a client sends all its requests before it reads', async () => {
    const { client } = await startWithRoot()
    const oids = Array.from({ length: 20_000 }, () => 0)
    client.socket.pause()
    client.send('B', int4(oids.length), ...oids.map(int8), 'S', 'N', 'M', Buffer.of(0), 'L', int8(0))
    client.socket.resume()
    const record = durusRecord(ROOT)
    const one = Buffer.concat([Buffer.from('O'), int4(record.length), record])
    expect((await client.read(oids.length * one.length)).equals(Buffer.concat(oids.map(() => one)))).to.equal(true)
    expect(await client.read(4 + 8)).to.deep.equal(Buffer.concat([int4(0), int8(1)]))
    expect(await client.read(one.length)).to.deep.equal(one)
  })

  it('answers P at once and packs behind it', async () => {
    let packs = 0
    let finish = () => {}
    const pack = () => {
      packs++
      return new Promise<void>((resolve) => {
        finish = resolve
      })
    }
    const { server, client } = await startWithRoot({ pack })
    expect([await client.pack(), await client.pack(), packs]).to.deep.equal(['O', 'O', 1])
    expect(await client.load(0)).to.deep.equal(durusRecord(ROOT))
    finish()
    await client.sync()
    expect([await client.pack(), packs]).to.deep.equal(['O', 2])
    finish()
    await client.close()
    expect(server.logged('warn')).to.deep.equal([])
  })

  it('removes by a pack what cannot be reached, and says so only in the log when it cannot', async () => {
    const { server, client } = await startWithRoot()
    const [kept, lost] = (await client.newOids(2)) as [number, number]
    await client.commit({ ...ROOT, references: [kept] }, { oid: kept, data: '' }, { oid: lost, data: '' })
    expect(await client.pack()).to.equal('O')
    await condition(() => server.service.storage.statistics()['objects'] === 2)
    await client.sync()
    expect(await client.bulkLoad([kept, lost])).to.deep.equal([durusRecord({ oid: kept, data: '' }), 'K'])

    const busy = await startWithRoot({
      pack: async () => {
        throw new PerdureError('PERDURE_BUSY', 'Another pack is under way.')
      },
    })
    expect(await busy.client.pack()).to.equal('O')
    await busy.client.close()
    expect(busy.server.logged('warn')[0]).to.match(/pack.*not done/)
  })

  it('stops the server for Q, if that is allowed, and else only the session', async () => {
    let stopped = 0
    const allowed = await startWithRoot({ stop: () => stopped++ })
    allowed.client.send('Q')
    await allowed.client.rest()
    expect(stopped).to.equal(1)

    const { server, client } = await startWithRoot()
    client.send('Q')
    expect(await client.rest()).to.have.lengthOf(0)
    expect(server.logged('warn')[0]).to.match(/stop, which it may not/)
    const next = await DurusClient.connect(server.port)
    expect(await next.load(0)).to.deep.equal(durusRecord(ROOT))
  })

  it('says its version to a client of another, and hangs up', async () => {
    const server = await start()
    const client = await DurusClient.raw(server.port)
    client.send('V', int4(3), 'S')
    expect(await client.rest()).to.deep.equal(int4(1))
    expect(server.logged('warn')[0]).to.match(/version 3/)
  })

  it('says another version to a client it may not serve, and hangs up', async () => {
    const refused = await start({}, new PerdureError('PERDURE_PERMISSION', 'Anonymous clients may not write.'))
    const msgpack = await serve(new MemoryStorage())
    for (const [server, message] of [
      [refused, /Anonymous/],
      [msgpack, /serializer is msgpack/],
    ] as const) {
      const client = await DurusClient.raw(server.port)
      client.send('V', int4(1), 'L', int8(0))
      expect(await client.rest()).to.deep.equal(int4(2))
      expect(server.logged('warn')[0]).to.match(message)
    }
  })

  it('throws out a client that sends no command', async () => {
    const { server, client } = await startWithRoot()
    client.send('X')
    expect(await client.rest()).to.have.lengthOf(0)
    expect(server.logged('warn')[0]).to.match(/88, which is no command/)
  })

  it('throws out a client that stops in the middle of a request, but not one between requests', async () => {
    const { server, client: idle, connect } = await startWithRoot({ limits: { silenceMs: 50 } })
    const client = await connect()
    client.send('L', Buffer.alloc(7))
    expect(await client.rest()).to.have.lengthOf(0)
    expect(server.log.filter(({ level }) => level === 'warn')[0]?.message).to.match(/silent for 50 ms/)
    expect(await idle.sync()).to.deep.equal([])
  })

  it('throws out a client that does not take its answer, holding no more of it than fits on the way', async () => {
    const { server, client } = await startWithRoot({ limits: { silenceMs: 200 } })
    const oid = await client.newOid()
    await client.commit({ oid, data: 'x'.repeat(1_000_000) })
    client.socket.pause()
    client.send('B', int4(500), ...Array.from({ length: 500 }, () => int8(oid)))
    await condition(() => server.log.some(({ level }) => level === 'warn'))
    expect(server.log.find(({ level }) => level === 'warn')?.message).to.match(/not taken its answer/)
    expect(server.service.statistics.loads).to.be.below(100)
  })

  const limited: [string, Partial<Protocol1Options>['limits'], RegExp, (client: DurusClient) => Promise<void>][] = [
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
      const { server, client } = await startWithRoot({ limits })
      await send(client)
      await client.rest()
      expect(server.logged('warn')[0]).to.match(message)
      expect(server.gate.inside).to.equal(0)
    })
  }

  it('finishes the commit under way when it is closed, and answers it', async () => {
    const { server, client } = await startWithRoot()
    await client.beginCommit()
    const transaction = durusTransaction([{ ...ROOT, data: 'last' }])
    const committed = condition(() => server.service.storage.statistics().tid === 2)
    client.send(transaction)
    await condition(() => server.gate.inside === 1)
    await committed
    const [session] = server.sessions
    session?.close(new PerdureError('PERDURE_CLOSED', 'The server stops.'))
    expect(await client.rest()).to.deep.equal(Buffer.from('O'))
    expect(server.logged('warn')).to.deep.equal([])
  })
})

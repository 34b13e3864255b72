import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import type { Oid, Tid } from '../../src/core/oid.js'
import { anonymous } from '../../src/server/authentication.js'
import { PREFACE } from '../../src/server/protocol/messages.js'
import type { ServerEvent } from '../../src/server/server-log.js'
import type { StorageServerOptions } from '../../src/server/storage-server.js'
import { textOf, write } from '../../src/testing/suite-context.js'
import { CountingStorage } from '../support/counting-storage.js'
import { failure } from '../support/errors.js'
import { type ProtocolClient, recordsOf, TestServer } from '../support/test-server.js'

describe('StorageServer', () => {
  let storage: CountingStorage
  let server: TestServer
  let events: ServerEvent[]

  beforeEach(async () => {
    storage = new CountingStorage()
    events = []
    await start()
  })

  afterEach(async () => {
    await server.stop()
    expect(storage.openSnapshots).to.equal(0)
    await storage.close()
  })

  async function start(options: Partial<StorageServerOptions> = {}): Promise<void> {
    const log = { write: (event: ServerEvent) => void events.push(event) }
    server = await TestServer.start({ storage, authenticator: anonymous('admin'), log, ...options })
  }

  async function restart(options: Partial<StorageServerOptions>): Promise<void> {
    await server.stop()
    await start(options)
  }

  it('lets a client in and says what it serves', async () => {
    const client = await server.stranger()
    client.socket.write(PREFACE)
    const reply = await client.hello({ snapshots: 7, frameBytes: 100_000 })
    expect(reply).to.deep.equal({
      type: 'welcome',
      welcome: {
        version: 2,
        limits: { frameBytes: 100_000, requests: 1024, snapshots: 7 },
        serverId: server.server.id,
        databaseId: '',
        location: 'memory',
        serializer: 'msgpack',
        capabilities: ['pack', 'restore'],
        readonly: false,
        role: 'admin',
      },
    })
    expect(events.map(({ event }) => event)).to.deep.equal(['connected', 'welcomed'])
  })

  it('stores, loads and lists', async () => {
    const client = await server.client()
    const { first } = await client.ask('allocated', { type: 'allocate', count: 2 })
    const tid = await commit(client, [write(0, 'root', [first]), write(first, 'ada')])
    const { snapshot, tid: newest } = await client.ask('snapshot', { type: 'snapshot' })
    expect(newest).to.equal(tid)
    expect((await client.load(snapshot, first)).map(textOf)).to.deep.equal(['ada'])
    expect(await client.load(snapshot, 99)).to.deep.equal([])
    const many = await client.request({ type: 'loadMany', snapshot, oids: [first, 99, 0] })
    expect(recordsOf(many.parts).map(textOf)).to.deep.equal(['ada', undefined, 'root'])
    const all = await client.request({ type: 'records', snapshot })
    expect(recordsOf(all.parts).map(textOf)).to.have.members(['ada', 'root'])
    const scan = await client.request({ type: 'scan', snapshot })
    const [part] = scan.parts
    expect(part?.type === 'batchPart' && [...part.batch.oids]).to.have.members([0, first])
    await client.ask('done', { type: 'ping' })
    const { statistics } = await client.ask('statistics', { type: 'statistics' })
    expect(statistics).to.include({ tid, 'server.clients': 1, 'server.commits': 1, 'server.loads': 5 })
  })

  it('names the objects in conflict', async () => {
    const client = await server.client()
    await commit(client, [write(0, 'root')])
    const reply = await client.ask('conflicts', commitOf(0, [write(0, 'late')]))
    expect(reply.conflicts).to.deep.equal([{ oid: 0, className: 'suite.Thing', tid: 1 }])
  })

  it('tells what has changed before it names a newer transaction', async () => {
    const [client, other] = [await server.client(), await server.client()]
    await commit(client, [write(0, 'root')])
    await client.ask('snapshot', { type: 'snapshot' })
    await commit(other, [write(1, 'b')], 1)
    await commit(other, [write(2, 'c')], 2)
    await client.ask('snapshot', { type: 'snapshot' })
    await commit(client, [write(3, 'd')], 3)
    const told = client.notices.map((notice) => ({ ...notice, type: undefined }))
    expect(told).to.deep.equal([
      { type: undefined, after: 0, upTo: 1, oids: undefined },
      { type: undefined, after: 1, upTo: 3, oids: [1, 2] },
      { type: undefined, after: 3, upTo: 4, oids: [3] },
    ])
    expectOrder(client)
    expectOrder(other)
  })

  it('keeps the order under load', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => server.client()))
    const work = clients.map(async (client, number) => {
      for (let round = 0; round < 50; round++) {
        const { tid } = await client.ask('snapshot', { type: 'snapshot' })
        const sent = [0, 1, 2].map((i) => client.request(commitOf(tid, [write(1 + number * 3 + i, `${round}`)])))
        const asked = client.request({ type: 'snapshot' })
        await Promise.all([...sent, asked])
      }
    })
    await Promise.all(work)
    for (const client of clients) {
      expectOrder(client)
      expect(client.received.filter(({ message }) => message.type === 'committed')).to.have.length(150)
    }
  })

  it('answers what is sent without waiting, each request with its own id', async () => {
    const client = await server.client()
    await commit(
      client,
      Array.from({ length: 500 }, (_, oid) => write(oid, `${oid}`)),
    )
    const { snapshot } = await client.ask('snapshot', { type: 'snapshot' })
    const loads = Array.from({ length: 500 }, (_, oid) => client.load(snapshot, oid))
    expect((await Promise.all(loads)).flat().map(textOf)).to.deep.equal(Array.from({ length: 500 }, (_, i) => `${i}`))
  })

  it('gives each role what it may do', async () => {
    const tries = {
      reader: ['snapshot', 'statistics', 'ping'],
      writer: ['snapshot', 'statistics', 'ping', 'allocate', 'commit', 'outcome'],
      admin: ['snapshot', 'statistics', 'ping', 'allocate', 'commit', 'outcome', 'pack', 'verify'],
    } as const
    for (const [role, allowed] of Object.entries(tries)) {
      await restart({ authenticator: anonymous(role as keyof typeof tries) })
      const client = await server.client()
      const requests = [
        { type: 'snapshot' },
        { type: 'statistics' },
        { type: 'ping' },
        { type: 'allocate', count: 1 },
        commitOf(0, []),
        { type: 'outcome', token: randomBytes(16), base: 0 },
        { type: 'pack', keepOld: false },
        { type: 'verify' },
        { type: 'stop' },
      ] as const
      const done: string[] = []
      for (const request of requests) {
        const code = await client.request(request).then(
          () => undefined,
          (error) => error.code,
        )
        if (code !== 'PERDURE_PERMISSION') done.push(request.type)
      }
      expect(done, role).to.deep.equal(allowed)
    }
  })

  it('is stopped by an admin where that is allowed', async () => {
    await restart({ allowStop: true })
    const client = await server.client()
    await client.ask('done', { type: 'stop' })
    await client.closed
    expect(client.reasonForClosing).to.equal('PERDURE_DISCONNECTED')
    expect(events.map(({ event }) => event)).to.include('stopRequested')
  })

  it('lets no client reserve oids without end, and goes on giving them to others', async () => {
    const [greedy, other] = [await server.client(), await server.client()]
    const reserve = { type: 'allocate', count: 1_048_576 } as const
    const { first } = await greedy.ask('allocated', reserve)
    for (let i = 0; i < 3; i++) await greedy.ask('allocated', reserve)
    const error = await failure('PERDURE_LIMIT', () => greedy.request(reserve))
    expect(error.message).to.include('not used')
    await other.ask('allocated', reserve)
    // It may still store what it has.
    await commit(greedy, [write(0, 'root', [first]), write(first, 'ada')])
  })

  it('holds a client to the limits that were agreed on', async () => {
    const client = await server.client({ snapshots: 2, requests: 2, frameBytes: 65_536 })
    const held = [
      await client.ask('snapshot', { type: 'snapshot' }),
      await client.ask('snapshot', { type: 'snapshot' }),
    ]
    await failure('PERDURE_LIMIT', () => client.request({ type: 'snapshot' }))
    client.notify({ type: 'release', snapshot: held[0]?.snapshot ?? 0 })
    await client.ask('snapshot', { type: 'snapshot' })
    await failure('PERDURE_CLOSED', () => client.load(held[0]?.snapshot ?? 0, 0))
    await failure('PERDURE_LIMIT', () => client.request({ type: 'allocate', count: 2 ** 40 }))

    // A record that another client could store is too long for the answer to this one.
    const other = await server.client()
    await commit(other, [write(0, 'x'.repeat(70_000))])
    const { snapshot } = await other.ask('snapshot', { type: 'snapshot' })
    expect(await other.load(snapshot, 0)).to.have.length(1)
    client.notify({ type: 'release', snapshot: held[1]?.snapshot ?? 0 })
    const mine = await client.ask('snapshot', { type: 'snapshot' })
    await failure('PERDURE_LIMIT', () => client.load(mine.snapshot, 0))
    await failure('PERDURE_LIMIT', () => client.request({ type: 'loadMany', snapshot: mine.snapshot, oids: [0] }))
    await failure('PERDURE_LIMIT', () => client.request({ type: 'records', snapshot: mine.snapshot }))

    client.socket.write(Buffer.from([1, 0, 1, 0]))
    await client.closed
    expect(client.reasonForClosing).to.equal('PERDURE_PROTOCOL')
  })

  it('closes a connection with more requests under way than were agreed on', async () => {
    const client = await server.client({ requests: 2 })
    storage.onPack = () => new Promise(() => {})
    for (let i = 0; i < 3; i++) client.send({ type: 'pack', keepOld: false })
    await client.closed
    expect(client.reasonForClosing).to.equal('PERDURE_PROTOCOL')
  })

  it('gives up the snapshots of a client that is gone', async () => {
    const client = await server.client()
    for (let i = 0; i < 10; i++) await client.ask('snapshot', { type: 'snapshot' })
    expect(storage.openSnapshots).to.equal(10)
    client.notify({ type: 'goodbye' })
    await client.closed
    await until(() => server.server.figures.clients === 0)
    expect(storage.openSnapshots).to.equal(0)
    expect(events.at(-1)).to.include({ event: 'disconnected', error: undefined })
  })

  it('turns away what speaks another protocol, and says why in the log', async () => {
    for (const [bytes, why] of [
      ['GET / HTTP/1.1\r\n\r\n', 'byte 71'],
      ['\x16\x03\x01', 'TLS'],
      ['\x89PERD3\r\n', 'did not begin'],
    ] as const) {
      const client = await server.stranger()
      client.socket.write(bytes, 'latin1')
      await client.closed
      await until(() => server.server.figures.clients === 0)
      const last = events.at(-1)
      expect(last?.event === 'disconnected' && last.error?.message).to.contain(why)
    }
    expect(server.server.figures.refusals).to.equal(3)
  })

  it('refuses a client of another version by name', async () => {
    const client = await server.stranger()
    client.socket.write(PREFACE)
    const limits = { frameBytes: 65_536, requests: 1, snapshots: 1 }
    client.sendFrame(1, { type: 'hello', hello: { versions: [3, 4], limits, agent: '' } })
    await client.closed
    const [closing] = client.notices
    expect(closing?.type === 'closing' && closing.error.message).to.contain('version 3, 4')
  })

  it('lets nobody wait for clients that do not say anything', async () => {
    await restart({ maxConnections: 3 })
    const [first, second] = [await server.stranger(), await server.stranger()]
    const clients = [await server.client(), await server.client()]
    await first.closed
    await Promise.all(clients.map((client) => client.ask('done', { type: 'ping' })))
    await server.client()
    await second.closed
    const late = await server.stranger()
    await late.closed
    expect(codesOfEnds()).to.deep.equal(['PERDURE_LIMIT', 'PERDURE_LIMIT'])
    expect(events.filter(({ event }) => event === 'refused')).to.have.length(1)
  })

  it('gives up a client that is not let in in time', async () => {
    await restart({ handshakeTimeoutMs: 20 })
    const silent = await server.stranger()
    await silent.closed
    await until(() => server.server.figures.clients === 0)
    expect(codesOfEnds()).to.deep.equal(['PERDURE_TIMEOUT'])
  })

  function codesOfEnds(): unknown[] {
    return events.flatMap((event) => (event.event === 'disconnected' ? [(event.error as { code?: string }).code] : []))
  }

  it('finishes commits when it stops, and tells its clients', async () => {
    const client = await server.client()
    const answers = Array.from({ length: 20 }, (_, oid) => client.request(commitOf(0, [write(oid, 'x')])))
    await client.ask('done', { type: 'ping' })
    await server.server.stop()
    const replies = await Promise.all(answers)
    expect(replies.map(({ reply }) => reply.type)).to.deep.equal(Array(20).fill('committed'))
    await client.closed
    expect(client.reasonForClosing).to.equal('PERDURE_DISCONNECTED')
  })

  it('serves others while a client does not read, with little memory for it', async () => {
    const megabyte = 'x'.repeat(1024 * 1024)
    const [deaf, client] = [await server.client(), await server.client()]
    await commit(client, [write(0, megabyte)])
    const { snapshot } = await deaf.ask('snapshot', { type: 'snapshot' })
    deaf.socket.pause()
    for (let i = 0; i < 150; i++) void deaf.load(snapshot, 0).catch(() => {})
    await until(() => server.sockets.some(({ writableLength }) => writableLength > 3 * 1024 * 1024))
    for (let i = 0; i < 100; i++) await client.ask('done', { type: 'ping' })
    expect(server.sockets.map(({ writableLength }) => writableLength).sort((a, b) => b - a)[0]).to.be.below(6_000_000)
    expect(storage.loads).to.be.below(100)
    deaf.socket.resume()
    await deaf.ask('done', { type: 'ping' })
    expect(storage.loads).to.equal(150)
  })

  it('gives up what a client held that breaks off in the middle of a frame', async () => {
    const client = await server.client()
    await client.ask('snapshot', { type: 'snapshot' })
    client.socket.write(Buffer.from([0, 0, 0, 1, 0x0a, 1, 2, 3]))
    client.socket.resetAndDestroy()
    await until(() => server.server.figures.clients === 0)
    expect(storage.openSnapshots).to.equal(0)
  })

  it('tells clients that ask for nothing what has changed, now and then', async () => {
    const [idle, client] = [await server.client(), await server.client()]
    await idle.ask('snapshot', { type: 'snapshot' })
    for (let tid = 0; tid < 20; tid++) await commit(client, [write(tid % 3, 'x')], tid)
    await until(() => idle.notices.some((notice) => notice.type === 'changed' && notice.upTo === 20))
    expectOrder(idle)
    const oids = idle.notices.flatMap((notice) => (notice.type === 'changed' ? (notice.oids ?? []) : []))
    expect(new Set(oids)).to.deep.equal(new Set([0, 1, 2]))
  })

  it('says what became of a commit whose client was lost', async () => {
    const [lost, client] = [await server.client(), await server.client()]
    const [sent, unsent] = [commitOf(0, [write(0, 'sent')]), commitOf(0, [write(1, 'unsent')])]
    lost.send(sent)
    await until(() => storage.statistics().commits === 1)
    lost.close()
    const found = await client.ask('outcome', { type: 'outcome', token: sent.token, base: 0 })
    expect(found).to.deep.equal({ type: 'outcome', outcome: 'committed', tid: 1 })
    expectOrder(client)
    const never = await client.ask('outcome', { type: 'outcome', token: unsent.token, base: 0 })
    expect(never).to.deep.equal({ type: 'outcome', outcome: 'refused', tid: 0 })
    await failure('PERDURE_DISCONNECTED', () => client.request(unsent))
    await restart({})
    const later = await server.client()
    const forgotten = await later.ask('outcome', { type: 'outcome', token: sent.token, base: 0 })
    expect(forgotten.outcome).to.equal('unknown')
  })

  it('packs with progress, and gives up when the client does', async () => {
    const client = await server.client()
    await commit(client, [write(0, 'root'), write(1, 'garbage')])
    const { result } = await client.ask('packed', { type: 'pack', keepOld: false })
    expect(result).to.include({ objectsBefore: 2, objectsAfter: 1 })
    storage.onPack = ({ signal, onProgress }) => {
      onProgress?.({ phase: 'scan', objects: 1, objectsTotal: 2, bytes: 3, bytesTotal: 4, remainingMs: undefined })
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    }
    const { id, answer } = client.send({ type: 'pack', keepOld: true, retain: { transactions: 3 } })
    await until(() => client.received.some(({ message }) => message.type === 'packProgress'))
    client.notify({ type: 'cancel', request: id })
    await failure('PERDURE_THREAD', () => answer)
    client.send({ type: 'pack', keepOld: true })
    await client.ask('done', { type: 'ping' })
    client.close()
    await until(() => events.filter(({ event }) => event === 'packFailed').length === 2)
  })
})

function commitOf(base: Tid, writes: readonly { oid: Oid; data: Uint8Array }[]) {
  return { type: 'commit', base, token: randomBytes(16), note: '', user: '', reads: [], writes } as const
}

async function commit(client: ProtocolClient, writes: readonly { oid: Oid; data: Uint8Array }[], base: Tid = 0) {
  return (await client.ask('committed', commitOf(base, writes))).tid
}

/** No tid came before notices that cover everything up to it, and no notice left a gap. */
function expectOrder(client: ProtocolClient): void {
  let covered = 0
  for (const { message } of client.received) {
    if (message.type === 'changed') {
      expect(message.after).to.equal(covered)
      covered = message.upTo
    } else if (['snapshot', 'committed', 'outcome'].includes(message.type) && 'tid' in message) {
      expect(message.tid).to.be.at.most(covered)
    }
  }
  expect(covered).to.be.above(0)
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { ROOT_OID } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { RecordWrite } from '../../src/core/storage.js'
import { open } from '../../src/open.js'
import type { ClientStorageOptions } from '../../src/storages/client/client-options.js'
import { ClientStorage } from '../../src/storages/client.js'
import type { BridgeStarter } from '../../src/workers/sync-bridge.js'
import { failure } from '../support/errors.js'
import type { Play } from '../support/playing-bridge.js'
import type { ServeRequest } from '../support/server-messages.js'
import { Servers } from '../support/servers.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('ClientStorage and its server', () => {
  let servers: Servers
  let directory: TemporaryDirectory
  let cleanups: (() => Promise<unknown>)[]

  before(() => {
    servers = new Servers()
  })

  after(() => servers.kill())

  beforeEach(() => {
    directory = new TemporaryDirectory()
    cleanups = []
  })

  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
    directory.remove()
  })

  async function serve(request: Omit<ServeRequest, 'type' | 'id'> = {}): Promise<string> {
    const server = await servers.serve(request)
    cleanups.push(() => server.stop())
    return server.url
  }

  async function connect(url: string, options: ClientStorageOptions = {}): Promise<ClientStorage> {
    const storage = await ClientStorage.connect(url, options)
    cleanups.push(() => storage.close())
    return storage
  }

  /** A server that does with its clients whatever the test wants. */
  async function listen(onClient: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>()
    const listener = createServer((socket) => {
      sockets.add(socket.on('error', () => {}))
      onClient(socket)
    }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    cleanups.push(async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    })
    return `perdure://127.0.0.1:${(listener.address() as AddressInfo).port}`
  }

  describe('by address', () => {
    for (const [what, address] of [
      ['a Unix socket', () => ({ path: directory.join('a socket') })],
      ['an abstract socket', () => ({ path: `@perdure-test-${process.pid}` })],
      ['TCP over IPv6', () => ({ host: '::1', port: 0 })],
    ] as const) {
      it(`are found over ${what}`, async () => {
        const url = await serve({ address: address() })
        const storage = await connect(url)
        expect(storage.location).to.equal(url)
        expect((await storage.commit({ base: 0, reads: [], writes: [thing(ROOT_OID)] })).tid).to.equal(1)
      })
    }

    it('are found by open', async () => {
      const url = await serve()
      await using database = await open<{ x: number }>(url, { timeoutMs: 5000 })
      await database.transact((root) => void root.set('x', 1))
      await using other = await open<{ x: number }>(url, { readonly: true })
      expect(await other.view((root) => root.get('x'))).to.equal(1)
      await failure('PERDURE_READONLY', () => other.transact((root) => void root.set('x', 2)))
    })

    it('take no options of files, nor misspelled ones', async () => {
      const url = await serve()
      const durable = await failure('PERDURE_ARGUMENT', () => open(url, { durability: 'os' }))
      expect(durable.message).to.include('no option durability')
      const misspelled = { timoutMs: 5 } as ClientStorageOptions
      expect((await failure('PERDURE_ARGUMENT', () => open(url, misspelled))).message).to.include('timeoutMs')
      expect((await failure('PERDURE_ARGUMENT', () => connect(url, misspelled))).message).to.include('timoutMs')
      await failure('PERDURE_ARGUMENT', () => connect(url, { timeoutMs: 0 }))
      await failure('PERDURE_ARGUMENT', () => connect(url, { tls: {} }))
      await failure('PERDURE_ARGUMENT', () => open(directory.join('x'), { timeoutMs: 5 }))
    })

    it('refuse a database of another serializer, and explain one of Durus', async () => {
      const durus = await failure('PERDURE_SERIALIZER', async () => open(await serve({ serializer: 'pickle' })))
      expect(durus.message).to.include('Durus')
      const url = await serve({ serializer: 'cbor' })
      await failure('PERDURE_SERIALIZER', () => open(url, { serializer: 'msgpack' }))
      await using database = await open(url, { serializer: 'cbor' })
      expect(database.serializer).to.equal('cbor')
    })
  })

  describe('if there is none', () => {
    it('waits for it to come up', async () => {
      const path = directory.join('socket')
      const connecting = connect(`perdure+unix://${path}`)
      const url = await serve({ address: { path } })
      expect((await connecting).location).to.equal(url)
    })

    it('says where it was expected, after the time that was set', async () => {
      const refused = await failure('PERDURE_TIMEOUT', () => connect('perdure://127.0.0.1:1', { connectTimeoutMs: 50 }))
      expect(refused.message).to.include('perdure://127.0.0.1:1').and.include('ECONNREFUSED')
      expect(refused.details).to.include({ peer: 'perdure://127.0.0.1:1', timeoutMs: 50 })
      const url = `perdure+unix://${directory.join('missing')}`
      expect((await failure('PERDURE_TIMEOUT', () => connect(url, { connectTimeoutMs: 50 }))).message).to.include(url)
    })

    it('does not wait for a host that does not exist', async () => {
      const error = await failure('PERDURE_NOT_FOUND', () => connect('perdure://no-such-host.invalid'))
      expect(error.message).to.include('no-such-host.invalid')
    })

    it('does not wait for a server that says nothing longer than it should', async () => {
      const url = await listen(() => {})
      const error = await failure('PERDURE_TIMEOUT', () => connect(url, { connectTimeoutMs: 100 }))
      expect(error.message).to.include('said nothing')
    })

    it('notices that it is another kind of server', async () => {
      const url = await listen((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
      const error = await failure('PERDURE_PROTOCOL', () => connect(url))
      expect(error.message).to.include('HTTP/1.1').and.include(url)
    })
  })

  describe('at work', () => {
    it('show each process what the others have committed, after its own commit or abort', async () => {
      const url = await serve({ path: directory.join('a.perdure') })
      await using one = await open<{ x: number; y: number }>(url)
      await using other = await open<{ x: number; y: number }>(url)
      const [mine, theirs] = [await one.connect(), await other.connect()]
      mine.root.set('x', 1)
      await mine.commit()
      expect(theirs.root.get('x')).to.equal(1)
      mine.root.set('x', 2)
      await mine.commit()
      expect(theirs.root.get('x'), 'a snapshot does not change').to.equal(1)
      theirs.abort()
      expect(theirs.root.get('x')).to.equal(2)
      theirs.root.set('y', theirs.root.get('x') as number)
      mine.root.set('x', 3)
      await mine.commit()
      await failure('PERDURE_CONFLICT', () => theirs.commit())
      theirs.abort()
      expect(theirs.root.get('x')).to.equal(3)
    })

    it('load what an object refers to along with it', async () => {
      const storage = await connect(await serve())
      const count = 3000
      const first = storage.allocateOids(count)
      const chain = Array.from({ length: count }, (_, i) => thing(first + i, i + 1 < count ? [first + i + 1] : []))
      await storage.commit({ base: 0, reads: [], writes: [thing(ROOT_OID, [first]), ...chain] })
      const before = Number(storage.statistics()['server.bytesIn'])
      const snapshot = storage.snapshot()
      for (let i = 0; i < count; i++) expect(snapshot.load(first + i)?.oid).to.equal(first + i)
      const crawled = await snapshot.loadMany(chain.map(({ oid }) => oid))
      expect(crawled.map((record) => record?.oid)).to.deep.equal(chain.map(({ oid }) => oid))
      snapshot.release()
      const bytes = Number(storage.statistics()['server.bytesIn']) - before
      expect(bytes, 'few requests').to.be.below(count)
      expect(storage.statistics().loads).to.equal(2 * count)
    })

    it('keep what they remember of records within bounds', async () => {
      const url = await serve()
      const storage = await connect(url, { cacheBytes: 200_000 })
      const count = 500
      const oids = Array.from({ length: count }, (_, i) => i)
      await storage.commit({ base: 0, reads: [], writes: oids.map((oid) => thing(oid, [(oid + 1) % count], 5000)) })
      const snapshot = storage.snapshot()
      for (const oid of [...oids, ...oids]) {
        expect(snapshot.load(oid)?.data).to.have.length.greaterThan(5000)
        expect(storage.cachedBytes).to.be.at.most(200_000)
      }
      expect(storage.cachedBytes).to.be.greaterThan(50_000)
      const without = await connect(url, { cacheBytes: 0 })
      const other = without.snapshot()
      for (const oid of oids) expect(other.load(oid)?.oid).to.equal(oid)
      expect(without.cachedBytes).to.equal(0)
    })

    it('keep more requests waiting than the server takes at a time', async () => {
      const storage = await connect(await serve({ limits: { requests: 2 } }))
      const commits = Array.from({ length: 50 }, (_, i) =>
        storage.commit({ base: 0, reads: [], writes: [thing(i + 1)] }),
      )
      const snapshot = storage.snapshot()
      expect(snapshot.tid).to.equal(50)
      expect((await Promise.all(commits)).map(({ tid }) => tid)).to.deep.equal(commits.map((_, i) => i + 1))
    })

    it('refuse transactions that are larger than the server takes', async () => {
      const storage = await connect(await serve({ limits: { frameBytes: 100_000 } }))
      const writes = [thing(1, [], 60_000), thing(2, [], 60_000)]
      const error = await failure('PERDURE_LIMIT', () => storage.commit({ base: 0, reads: [], writes }))
      expect(error.details['limit']).to.equal(100_000)
      expect((await storage.commit({ base: 0, reads: [], writes: writes.slice(1) })).tid).to.equal(1)
    })

    it('give up streams that are not wanted any more', async () => {
      const storage = await connect(await serve())
      const writes = Array.from({ length: 3000 }, (_, i) => thing(i, [], 2000))
      await storage.commit({ base: 0, reads: [], writes })
      const snapshot = storage.snapshot()
      let seen = 0
      for await (const _record of snapshot.records()) if (++seen === 10) break
      for await (const record of snapshot.records()) if (record.oid >= 0) seen++
      expect(seen).to.equal(3010)
    })

    it('give up work whose progress is told to a function that throws', async () => {
      const storage = await connect(await serve({ path: directory.join('a.perdure') }))
      await storage.commit({ base: 0, reads: [], writes: [thing(ROOT_OID)] })
      const problem = new Error('enough')
      const onProgress = () => {
        throw problem
      }
      expect(await storage.verify({ onProgress }).catch((error) => error)).to.equal(problem)
      expect((await storage.verify()).objects).to.equal(1)
    })

    it('go by the role that the server gives', async () => {
      const reader = await connect(await serve({ role: 'reader' }))
      expect([reader.readonly, [...reader.capabilities]]).to.deep.equal([true, []])
      await failure('PERDURE_READONLY', () => reader.commit({ base: 0, reads: [], writes: [thing(1)] }))
      await failure('PERDURE_READONLY', () => reader.allocateOids(1))
      const writer = await connect(await serve({ role: 'writer' }))
      expect((await writer.commit({ base: 0, reads: [], writes: [thing(1)] })).tid).to.equal(1)
      expect((await failure('PERDURE_UNSUPPORTED', () => writer.pack())).message).to.include('for you')
    })
  })

  describe('that stops answering', () => {
    it('makes a load end after the time that was set, and everything else', async () => {
      const frozen = new Servers()
      cleanups.push(() => frozen.kill())
      const storage = await connect((await frozen.serve()).url, { timeoutMs: 200 })
      await storage.commit({ base: 0, reads: [], writes: [thing(1)] })
      const snapshot = storage.snapshot()
      process.kill(frozen.pid, 'SIGSTOP')
      expect((await failure('PERDURE_TIMEOUT', () => snapshot.load(1))).details).to.include({ timeoutMs: 200 })
      await failure('PERDURE_DISCONNECTED', () => snapshot.load(1))
      await failure('PERDURE_TIMEOUT', () => storage.snapshot())
      await failure('PERDURE_TIMEOUT', () => storage.pack())
      process.kill(frozen.pid, 'SIGCONT')
      expect(storage.snapshot().load(1)?.tid).to.equal(1)
    })

    it('ends a commit, and what takes its time, as well', async () => {
      const frozen = new Servers()
      cleanups.push(() => frozen.kill())
      const url = (await frozen.serve({ path: directory.join('a.perdure') })).url
      const storage = await connect(url, { timeoutMs: 200 })
      const committer = await connect(url, { timeoutMs: 200 })
      await storage.commit({ base: 0, reads: [], writes: [thing(1)] })
      process.kill(frozen.pid, 'SIGSTOP')
      const verifying = failure('PERDURE_TIMEOUT', () => storage.verify())
      await failure('PERDURE_IN_DOUBT', () => committer.commit({ base: 1, reads: [], writes: [thing(1)] }))
      await verifying
    })
  })

  describe('whose own thread dies', () => {
    const dying: BridgeStarter = (workerData, transferList) =>
      new Worker(new URL('../support/dying-bridge.js', import.meta.url), { workerData, transferList })

    it('wakes a thread that waits for it', async () => {
      const storage = await ClientStorage.connect(await serve(), {}, dying)
      await failure('PERDURE_THREAD', () => storage.snapshot())
      await failure('PERDURE_THREAD', () => storage.snapshot())
      await failure('PERDURE_THREAD', () => storage.commit({ base: 0, reads: [], writes: [] }))
      await storage.close()
    })

    it('leaves a commit under way in doubt', async () => {
      const storage = await ClientStorage.connect(await serve(), {}, dying)
      await failure('PERDURE_IN_DOUBT', () => storage.commit({ base: 0, reads: [], writes: [thing(1)] }))
      await storage.close()
    })
  })

  describe('whose connection is lost at a bad moment', () => {
    async function play(play: Play, options: ClientStorageOptions = {}): Promise<ClientStorage> {
      const start: BridgeStarter = (workerData, transferList) =>
        new Worker(new URL('../support/playing-bridge.js', import.meta.url), {
          workerData: { ...workerData, play },
          transferList,
        })
      const storage = await ClientStorage.connect('perdure://nowhere', options, start)
      cleanups.push(() => storage.close())
      return storage
    }

    it('does not take a snapshot of it for one of the next', async () => {
      const storage = await play('lose the past')
      const past = storage.snapshotAt(1)
      // Lets the request go, and no more.
      for (let i = 0; i < 10; i++) await Promise.resolve()
      // Hears of the answer and of the loss, and connects again, before anybody else has a turn.
      const newest = storage.snapshot()
      expect(newest.tid).to.equal(5)
      await failure('PERDURE_DISCONNECTED', () => past)
      newest.release()
    })

    it('does not take a server for lost that is at work on what was sent earlier', async () => {
      const storage = await play('be slow', { timeoutMs: 1000 })
      const commits = Array.from({ length: 12 }, (_, i) =>
        storage.commit({ base: 5, reads: [], writes: [thing(i + 1)] }),
      )
      for (const { tid } of await Promise.all(commits)) expect(tid).to.equal(6)
    })

    it('does not wait for ever behind a stream that nobody reads', async () => {
      const storage = await play('be slow', { timeoutMs: 100 })
      const stream = storage.transactions({ to: 5 })[Symbol.asyncIterator]()
      const next = stream.next().catch(() => undefined)
      await new Promise((resolve) => setImmediate(resolve))
      await failure('PERDURE_TIMEOUT', () => storage.snapshotAt(1))
      await next
    })

    it('goes on with objects whose commit was in doubt, once it turns out to have been stored', async () => {
      const storage = await play('stay away', { timeoutMs: 50 })
      storage.snapshot().release()
      const oid = storage.allocateOids(1)
      await failure('PERDURE_IN_DOUBT', () => storage.commit({ base: 5, reads: [], writes: [thing(oid)] }))
      const now = await until(() => storage.snapshot())
      expect((await storage.commit({ base: now.tid, reads: [], writes: [thing(oid)] })).tid).to.equal(6)
    })
  })

  it('does not keep a process from ending', async () => {
    const url = await serve()
    const storage = await connect(url)
    // The thread and its port are not counted as long as nothing is under way.
    const busy = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
    const idle = busy()
    const commit = storage.commit({ base: 0, reads: [], writes: [thing(1)] })
    expect(busy()).to.equal(idle + 1)
    await commit
    expect(busy()).to.equal(idle)
  })
})

/** What `attempt` gives when it does not throw any more. */
async function until<T>(attempt: () => T): Promise<T> {
  for (;;) {
    try {
      return attempt()
    } catch {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

function thing(oid: number, references: readonly number[] = [], size = 10): RecordWrite {
  const targets = references.map((target) => new Reference(target, 'Thing'))
  return { oid, data: encodeRecord('Thing', targets, new Uint8Array(size)) }
}

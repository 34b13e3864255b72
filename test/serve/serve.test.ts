import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { expect } from 'chai'
import { type RunningServer, type ServeOptions, serve } from '../../src/server.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { failure } from '../support/errors.js'
import { ProtocolClient } from '../support/login-client.js'
import { numberRecord } from '../support/number-record.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const ANY_PORT = { port: 0 }
const TOKEN = Buffer.alloc(16, 7)

describe('serve', () => {
  let directory: TemporaryDirectory
  let servers: RunningServer[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    servers = []
  })

  afterEach(async () => {
    for (const server of servers) await server.stop()
    directory.remove()
  })

  async function start(location?: string | MemoryStorage, options: ServeOptions = {}): Promise<RunningServer> {
    const server = await serve(location, { listen: ANY_PORT, ...options })
    servers.push(server)
    return server
  }

  function urlOf(server: RunningServer): string {
    return server.addresses[0]?.url as string
  }

  it('serves a file, which it creates, and closes it with a checkpoint', async () => {
    const path = directory.join('bank.perdure')
    const server = await start(path, { durability: 'os' })
    const client = await ProtocolClient.connect(urlOf(server))
    const writes = [{ oid: 0, data: numberRecord(1) }]
    const commit = { type: 'commit', base: 0, token: TOKEN, note: '', user: '', reads: [], writes } as const
    expect(await client.ask(commit)).to.deep.include({ type: 'committed', tid: 1 })
    expect(server.statistics()).to.include({ clients: 1, connections: 1, commits: 1, conflicts: 0 })
    expect(server.statistics().storage).to.include({ tid: 1, batches: 1, largestBatch: 1 })
    expect(server.statistics().commitP99Ms).to.be.greaterThan(0)
    await server.stop()
    await server.closed
    expect((await client.closed)?.code).to.equal('PERDURE_DISCONNECTED')
    expect(readdirSync(directory.path)).to.have.members(['bank.perdure', 'bank.perdure.index'])
    const storage = await FileStorage.open(path)
    expect(storage.recovery.transactionsReplayed).to.equal(0)
    expect(storage.snapshot().tid).to.equal(1)
    await storage.close()
  })

  it('says which database it is, also after a restart', async () => {
    const path = directory.join('bank.perdure')
    const seen: { serverId: string; databaseId: string }[] = []
    for (let i = 0; i < 2; i++) {
      const server = await start(path)
      const { welcome } = await ProtocolClient.connect(urlOf(server))
      seen.push(welcome)
      await server.stop()
    }
    expect(seen[0]?.databaseId)
      .to.equal(seen[1]?.databaseId)
      .and.match(/^[0-9a-f]{32}$/)
    expect(seen[0]?.serverId).not.to.equal(seen[1]?.serverId)
  })

  it('serves a temporary database, and a storage that stays open', async () => {
    const temporary = await start()
    expect((await ProtocolClient.connect(urlOf(temporary))).welcome.capabilities).not.to.include('persistent')
    const storage = new MemoryStorage()
    const server = await start(storage)
    expect((await ProtocolClient.connect(urlOf(server))).welcome.location).to.equal('memory')
    await server.stop()
    expect(storage.snapshot().tid).to.equal(0)
    await storage.close()
  })

  it('listens at several addresses, of which it knows the ports', async () => {
    const path = directory.join('socket')
    const server = await start(undefined, { listen: [ANY_PORT, { host: 'localhost', port: 0 }, { path }] })
    expect(server.addresses).to.have.length(3)
    for (const { url, address } of server.addresses) {
      if (address.kind === 'tcp') expect(address.port).to.be.greaterThan(0)
      expect((await ProtocolClient.connect(url)).welcome.role).to.equal('admin')
    }
    expect(server.addresses[2]?.url).to.equal(`perdure+unix://${path}`)
    await server.stop()
    expect(existsSync(path)).to.equal(false)
  })

  it('lets in nobody any more once it is stopped', async () => {
    const server = await start()
    const url = urlOf(server)
    await server.stop()
    let refused: unknown
    await ProtocolClient.connect(url).catch((error) => (refused = error))
    expect(refused).to.include({ code: 'ECONNREFUSED' })
    await server.stop()
    await failure('PERDURE_CLOSED', () => server.statistics())
  })

  it('can be stopped by a client only if that is allowed', async () => {
    const firm = await start()
    const refused = await ProtocolClient.connect(urlOf(firm))
    await failure('PERDURE_PERMISSION', () => refused.ask({ type: 'stop' }))
    const server = await start(undefined, { allowRemoteStop: true })
    const client = await ProtocolClient.connect(urlOf(server))
    expect(await client.ask({ type: 'stop' })).to.deep.equal({ type: 'done' })
    await server.closed
  })

  it('leaves nothing open when it cannot start', async () => {
    const path = directory.join('bank.perdure')
    const socket = directory.join('socket')
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    await failure('PERDURE_LOCKED', () => start(path, { listen: [ANY_PORT, { path: socket }, { port }] }))
    taken.close()
    expect(existsSync(socket)).to.equal(false)
    // The file's lock is free again.
    await start(path, { listen: [{ path: socket }, { port }] })
    const second = await failure('PERDURE_LOCKED', () => start(path))
    expect(second.details.path).to.equal(path)
    const other = await failure('PERDURE_LOCKED', () => start(undefined, { listen: { path: socket } }))
    expect(other.details.path).to.equal(socket)
  })

  it('names files that are missing before it creates a database', async () => {
    const path = directory.join('bank.perdure')
    await failure('PERDURE_NOT_FOUND', () => start(path, { users: directory.join('none') }))
    await failure('PERDURE_NOT_FOUND', () => start(path, { tls: { cert: 'none', key: 'none' } }))
    await failure('PERDURE_NOT_FOUND', () => start(path, { log: { destination: directory.join('no/log') } }))
    expect(readdirSync(directory.path)).to.deep.equal([])
  })

  describe('refuses to let strangers in by accident:', () => {
    for (const host of ['0.0.0.0', '::', '192.168.0.1', 'example.com', '127.1']) {
      it(`at ${host} without TLS`, async () => {
        const path = directory.join('bank.perdure')
        const error = await failure('PERDURE_ARGUMENT', () => start(path, { listen: { host, port: 0 } }))
        expect(error.message).to.include('insecure').and.include(host)
        expect(readdirSync(directory.path)).to.deep.equal([])
      })
    }

    it('with TLS, but with nothing that says who may come', async () => {
      const tls = { cert: 'none', key: 'none' }
      const error = await failure('PERDURE_ARGUMENT', () => start(undefined, { listen: { host: '::', port: 0 }, tls }))
      expect(error.message).to.include('admin')
    })

    it('unless it is told to', async () => {
      const server = await start(undefined, { listen: { host: '0.0.0.0', port: 0 }, insecure: true })
      expect(urlOf(server)).to.match(/^perdure:\/\/localhost:\d+$/)
      await ProtocolClient.connect(urlOf(server))
    })
  })

  describe('refuses options:', () => {
    const wrong: Record<string, object> = {
      'a misspelled one': { lissten: ANY_PORT },
      'a misspelled one of the file': { durabilty: 'os' },
      'an impossible one of the file': { durability: 'perhaps' },
      'users together with anonymous': { users: 'users', anonymous: 'reader' },
      'an unknown role': { anonymous: 'king' },
      'TLS addresses without TLS': { listen: 'perdure+tls://127.0.0.1:0' },
      'TLS without a key': { tls: { cert: 'cert' } },
      'a misspelled one of TLS': { tls: { cert: 'cert', key: 'key', certs: 'cert' } },
      'no connections': { maxConnections: 0 },
      'a frame that is too short': { limits: { frameBytes: 10 } },
      'an impossible schedule': { gcBytes: 0 },
      'an unknown limit': { limits: { frames: 10 } },
      'an unknown level': { log: { level: 'loud' } },
      'an unknown owner': { socket: { owner: 'nobody-of-this-name' } },
      'an unknown group': { socket: { group: 'nobody-of-this-name' } },
      'an impossible umask': { socket: { umask: 0o1000 } },
      'signals that are no boolean': { signals: 'yes' },
      'no address': { listen: [] },
      'a URL that is none': { listen: 'http://127.0.0.1' },
      'an unknown serializer': { serializer: 'morse', listen: ANY_PORT },
    }
    for (const [what, options] of Object.entries(wrong)) {
      it(what, async () => {
        const code = what.endsWith('serializer') ? 'PERDURE_SERIALIZER' : 'PERDURE_ARGUMENT'
        await failure(code, () => start(directory.join('bank.perdure'), options))
        expect(readdirSync(directory.path)).to.deep.equal([])
      })
    }

    it('of a file for a storage that is open', async () => {
      const storage = new MemoryStorage()
      await failure('PERDURE_ARGUMENT', () => start(storage, { durability: 'os' }))
      await storage.close()
    })

    it('a location that is none', async () => {
      await failure('PERDURE_ARGUMENT', () => start({} as MemoryStorage))
      await failure('PERDURE_UNSUPPORTED', () => start('perdure://127.0.0.1'))
      writeFileSync(directory.join('text'), 'no database')
      await failure('PERDURE_NOT_A_DATABASE', () => start(directory.join('text')))
    })
  })

  it('takes names and numbers of users and groups', async () => {
    const path = directory.join('socket')
    const { username, gid } = userInfo()
    await start(undefined, { listen: { path }, socket: { owner: username, group: gid, umask: 0o117 } })
    expect(statSync(path).mode & 0o777).to.equal(0o660)
  })
})

import { once } from 'node:events'
import { existsSync, linkSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { type AddressInfo, createServer, type ListenOptions, type Server } from 'node:net'
import { expect } from 'chai'
import { addUser, changeUser } from '../../src/server.js'
import { ClientStorage } from '../../src/storages/client.js'
import { FileStorage } from '../../src/storages/file.js'
import { makeAuthority, makeCertificate, writeCertificate } from '../support/certificates.js'
import { failure } from '../support/errors.js'
import { ProtocolClient } from '../support/login-client.js'
import { numberRecord, recordNumber } from '../support/number-record.js'
import { SERVING_PROCESS, Serving } from '../support/serving.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('A server process', () => {
  let directory: TemporaryDirectory
  let path: string
  let started: Serving[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('bank.perdure')
    started = []
  })

  afterEach(async () => {
    for (const serving of started) await serving.end('SIGKILL')
    directory.remove()
  })

  async function start(...args: Parameters<typeof Serving.start>): Promise<Serving> {
    const serving = await Serving.start(...args)
    started.push(serving)
    return serving
  }

  function token(i: number): Buffer {
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32LE(i + 1)
    return bytes
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`answers the commits under way on ${signal}, writes a checkpoint, removes its socket, and ends with 0`, async () => {
      const socket = directory.join('socket')
      const serving = await start({ signals: true, listen: [{ path: socket }, { port: 0 }] }, path)
      const clients = await Promise.all(Array.from({ length: 4 }, () => ProtocolClient.connect(serving.url)))
      const answers: Promise<number>[] = []
      for (let i = 0; i < 400; i++) {
        const client = clients[i % clients.length] as ProtocolClient
        const writes = [{ oid: i, data: numberRecord(i) }]
        const request = { type: 'commit', base: 0, token: token(i), note: '', user: '', reads: [], writes } as const
        answers.push(
          client.ask(request).then(
            (answer) => (answer.type === 'committed' ? answer.tid : Number.NaN),
            () => 0,
          ),
        )
      }
      await Promise.race(answers)
      expect(await serving.end(signal)).to.equal(0)
      const tids = await Promise.all(answers)
      for (const client of clients) expect((await client.closed)?.code).to.equal('PERDURE_DISCONNECTED')
      expect(readdirSync(directory.path)).to.have.members(['bank.perdure', 'bank.perdure.index'])

      const storage = await FileStorage.open(path, { readonly: true })
      expect(storage.recovery).to.include({ transactionsReplayed: 0, cutAt: undefined })
      const snapshot = storage.snapshot()
      for (const [i, tid] of tids.entries()) {
        const record = snapshot.load(i)
        // What was answered is there; nothing but what was not answered may be missing.
        if (tid > 0) expect([record?.tid, recordNumber(record)]).to.deep.equal([tid, i])
      }
      expect(tids.filter((tid) => tid > 0)).not.to.have.length(0)
      snapshot.release()
      await storage.close()
    })
  }

  it('ends with 0 when a client has stopped it', async () => {
    const serving = await start({ allowRemoteStop: true }, path)
    const client = await ProtocolClient.connect(serving.url)
    await client.ask({ type: 'stop' })
    expect(await serving.ended).to.equal(0)
  })

  it('reads certificates, credentials and options again on SIGHUP', async () => {
    const [one, two] = [await makeAuthority('one'), await makeAuthority('two')]
    const tls = writeCertificate(directory, 'server', await makeCertificate(one))
    const users = directory.join('users')
    const log = directory.join('log')
    await addUser(users, { name: 'ada', role: 'reader', password: 'pencil' })
    const serving = await start({ signals: true, tls, users, log: { destination: log } })
    const ada = { user: 'ada', password: 'pencil' }
    await ProtocolClient.connect(serving.url, { ...ada, tls: { ca: one.cert } })
    writeCertificate(directory, 'server', await makeCertificate(two))
    await changeUser(users, 'ada', { password: 'crayon' })
    serving.process.kill('SIGHUP')
    while (!readFileSync(log, 'utf8').includes('"reloaded"')) await new Promise((resolve) => setTimeout(resolve, 5))
    await failure('PERDURE_AUTHENTICATION', () =>
      ProtocolClient.connect(serving.url, { ...ada, tls: { ca: two.cert } }),
    )
    const options = { user: 'ada', password: 'crayon', tls: { ca: two.cert } }
    expect((await ProtocolClient.connect(serving.url, options)).welcome.role).to.equal('reader')
    expect(await serving.end()).to.equal(0)
    expect(readFileSync(log, 'utf8')).not.to.match(/pencil|crayon|PRIVATE/)
  })

  it('is reached through an abstract socket, which leaves no file', async () => {
    const name = `@perdure-test-${process.pid}`
    const serving = await start({ listen: { path: name } })
    expect(serving.url).to.equal(`perdure+unix:${name}`)
    const storage = await ClientStorage.connect(serving.url)
    expect((await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: numberRecord(5) }] })).tid).to.equal(1)
    expect(recordNumber(storage.snapshot().load(0))).to.equal(5)
    await storage.close()
    let problem: unknown
    await start({ listen: { path: name } }).catch((error) => (problem = error))
    expect(String(problem)).to.include('Another process listens')
  })

  it('cannot be started twice on one socket, and can after it was killed', async () => {
    const socket = directory.join('socket')
    const options = { listen: { path: socket } }
    const first = await start(options)
    expect(statSync(socket).mode & 0o777).to.equal(0o700)
    let problem: unknown
    await start(options).catch((error) => (problem = error))
    expect(String(problem)).to.include('Another server listens')
    await ProtocolClient.connect(first.url)
    await first.end('SIGKILL')
    expect(existsSync(socket)).to.equal(true)
    const second = await start(options)
    await ProtocolClient.connect(second.url)
  })

  describe('with sockets from systemd', () => {
    let sockets: Server[]

    beforeEach(() => {
      sockets = []
    })

    afterEach(() => {
      for (const socket of sockets) socket.close()
    })

    /** Starts the server as systemd does: with a listening socket as descriptor 3. */
    async function activate(server: Server, options: object, command = 'LISTEN_PID=$$ exec "$@"'): Promise<Serving> {
      const args = ['-c', command, 'sh', process.execPath, SERVING_PROCESS, JSON.stringify(options)]
      const serving = await Serving.spawn('sh', args, {
        stdio: ['ignore', 'pipe', 'inherit', (server as unknown as { _handle: { fd: number } })._handle.fd],
        env: { ...process.env, LISTEN_FDS: '1' },
      })
      started.push(serving)
      return serving
    }

    async function listening(where: ListenOptions): Promise<Server> {
      const server = createServer().listen(where)
      sockets.push(server)
      await once(server, 'listening')
      return server
    }

    it('takes a TCP socket', async () => {
      const server = await listening({ port: 0, host: '127.0.0.1' })
      const { port } = server.address() as AddressInfo
      const serving = await activate(server, { socketActivation: true, signals: true })
      server.close()
      expect(serving.urls).to.deep.equal([`perdure://127.0.0.1:${port}`])
      expect((await ProtocolClient.connect(serving.url)).welcome.role).to.equal('admin')
      expect(await serving.end()).to.equal(0)
    })

    it('takes a Unix socket, and leaves its file to systemd', async () => {
      // Node removes the file when this process lets go of the socket, which it must, so that it takes no clients.
      const [first, socket] = [directory.join('first'), directory.join('socket')]
      const server = await listening({ path: first })
      linkSync(first, socket)
      const serving = await activate(server, { socketActivation: true, signals: true })
      server.close()
      expect(serving.urls).to.deep.equal([`perdure+unix://${first}`])
      await ProtocolClient.connect(`perdure+unix://${socket}`)
      expect(await serving.end()).to.equal(0)
      expect(existsSync(socket)).to.equal(true)
    })

    it('refuses a socket that strangers reach without TLS', async () => {
      const server = await listening({ port: 0, host: '0.0.0.0' })
      let problem: unknown
      await activate(server, { socketActivation: true }).catch((error) => (problem = error))
      server.close()
      expect(String(problem)).to.include('Other machines reach 0.0.0.0')
    })

    it('takes none that were not meant for it', async () => {
      const server = await listening({ port: 0, host: '127.0.0.1' })
      let problem: unknown
      await activate(server, { socketActivation: true }, 'LISTEN_PID=1 exec "$@"').catch((error) => (problem = error))
      server.close()
      expect(String(problem)).to.include('no socket was passed')
    })

    it('listens at its addresses as well', async () => {
      const server = await listening({ port: 0, host: '127.0.0.1' })
      const serving = await activate(server, { socketActivation: true, listen: { port: 0 }, signals: true })
      server.close()
      expect(serving.urls).to.have.length(2)
      for (const url of serving.urls) await ProtocolClient.connect(url)
    })
  })
})

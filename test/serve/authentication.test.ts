import { once } from 'node:events'
import { appendFileSync, chmodSync } from 'node:fs'
import { createConnection, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { expect } from 'chai'
import type { Request, Role } from '../../src/server/protocol/messages.js'
import { addUser, changeUser, type RunningServer, removeUser, type ServeOptions, serve } from '../../src/server.js'
import { ClientStorage } from '../../src/storages/client.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { type Certificate, makeAuthority, makeCertificate, writeCertificate } from '../support/certificates.js'
import { failure } from '../support/errors.js'
import { ProtocolClient } from '../support/login-client.js'
import { numberRecord } from '../support/number-record.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const PASSWORDS: Record<Role, string> = { reader: 'reads all day', writer: 'writes all night', admin: 'rules the rest' }
const TOKEN = Buffer.alloc(16, 7)

describe('A server with users', () => {
  let directory: TemporaryDirectory
  let users: string
  let server: RunningServer
  let url: string
  let closing: { close(): unknown }[]

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    users = directory.join('users')
    closing = []
    for (const [role, password] of Object.entries(PASSWORDS)) {
      await addUser(users, { name: role, role: role as Role, password })
    }
    await start({})
  })

  afterEach(async () => {
    await server.stop()
    for (const each of closing) each.close()
    directory.remove()
  })

  async function start(options: ServeOptions): Promise<void> {
    await server?.stop()
    server = await serve(new MemoryStorage(), { listen: { port: 0 }, users, allowRemoteStop: true, ...options })
    url = server.addresses[0]?.url as string
  }

  function logIn(user: string, password: string | undefined = PASSWORDS[user as Role]): Promise<ProtocolClient> {
    return ProtocolClient.connect(url, { user, password: password ?? 'no password' })
  }

  it('lets in its users with their roles', async () => {
    for (const role of Object.keys(PASSWORDS)) expect((await logIn(role)).welcome.role).to.equal(role)
  })

  it('lets in a ClientStorage, which knows what it may do', async () => {
    const reader = await ClientStorage.connect(url, { user: 'reader', password: PASSWORDS.reader })
    const admin = await ClientStorage.connect(url, { user: 'admin', password: PASSWORDS.admin })
    expect(reader.readonly).to.equal(true)
    expect([...admin.capabilities]).to.include('pack')
    await reader.close()
    await admin.close()
    await failure('PERDURE_AUTHENTICATION', () => ClientStorage.connect(url, { user: 'reader', password: 'wrong' }))
    await failure('PERDURE_AUTHENTICATION', () => ClientStorage.connect(url))
  })

  it('says the same to a wrong password and to an unknown user', async () => {
    const wrong = await failure('PERDURE_AUTHENTICATION', () => logIn('reader', 'wrong'))
    const unknown = await failure('PERDURE_AUTHENTICATION', () => logIn('nobody', 'wrong'))
    expect(wrong.message).to.equal(unknown.message)
    expect(wrong.cause).to.equal(undefined)
    expect(wrong.details).to.deep.equal(unknown.details)
  })

  it('lets readers neither commit, nor pack, nor stop, and writers neither pack nor stop', async () => {
    const writes = [{ oid: 0, data: numberRecord(1) }]
    const requests: Record<string, Request> = {
      snapshot: { type: 'snapshot' },
      commit: { type: 'commit', base: 0, token: TOKEN, note: '', user: '', reads: [], writes },
      pack: { type: 'pack', keepOld: false },
      stop: { type: 'stop' },
    }
    const allowed: Record<Role, string[]> = {
      reader: ['snapshot'],
      writer: ['snapshot', 'commit'],
      admin: ['snapshot', 'pack', 'stop'],
    }
    for (const [role, names] of Object.entries(allowed)) {
      const client = await logIn(role)
      for (const [name, request] of Object.entries(requests)) {
        if (names.includes(name)) await client.ask(request)
        else if (role !== 'admin') await failure('PERDURE_PERMISSION', () => client.ask(request))
      }
    }
    await server.closed
  })

  it('reads the credentials again when they have changed', async () => {
    await failure('PERDURE_AUTHENTICATION', () => logIn('ada', 'pencil'))
    await addUser(users, { name: 'ada', role: 'reader', password: 'pencil' })
    expect((await logIn('ada', 'pencil')).welcome.role).to.equal('reader')
    await changeUser(users, 'ada', { role: 'admin', password: 'crayon' })
    expect((await logIn('ada', 'crayon')).welcome.role).to.equal('admin')
    await failure('PERDURE_AUTHENTICATION', () => logIn('ada', 'pencil'))
    await removeUser(users, 'ada')
    await failure('PERDURE_AUTHENTICATION', () => logIn('ada', 'crayon'))
  })

  it('lets in nobody while the credentials cannot be used, and says so only to whoever runs it', async () => {
    const before = await logIn('writer')
    chmodSync(users, 0o644)
    const error = await failure('PERDURE_AUTHENTICATION', () => logIn('writer'))
    expect(error.message).not.to.include(users)
    const told = await failure('PERDURE_PERMISSION', () => server.reload())
    expect(told.message).to.include(users)
    await before.ask({ type: 'ping' })
    chmodSync(users, 0o600)
    await logIn('writer')
    appendFileSync(users, 'nonsense\n')
    await failure('PERDURE_AUTHENTICATION', () => logIn('writer'))
    await failure('PERDURE_ARGUMENT', () => server.reload())
  })

  it('refuses a recorded conversation', async () => {
    const recorded: Buffer[] = []
    const port = await listen(
      createTcpServer((socket) => {
        const onward = createConnection(Number(new URL(url).port), '127.0.0.1')
        socket.on('data', (chunk: Buffer) => recorded.push(chunk))
        pipe(socket, onward)
      }),
    )
    const client = await ProtocolClient.connect(`perdure://127.0.0.1:${port}`, {
      user: 'admin',
      password: PASSWORDS.admin,
    })
    await client.ask({ type: 'ping' })
    const { commits, connections } = server.statistics()
    const replay = createConnection(Number(new URL(url).port), '127.0.0.1')
    const answer: Buffer[] = []
    replay.on('data', (chunk: Buffer) => answer.push(chunk))
    const ended = new Promise((resolve) => replay.once('close', resolve))
    replay.write(Buffer.concat(recorded))
    await ended
    expect(Buffer.concat(answer).toString('latin1')).to.include('PERDURE_AUTHENTICATION')
    expect(server.statistics()).to.include({ commits, connections: connections + 1 })
  })

  it('sends no password and no verifier over the wire', async () => {
    const seen: Buffer[] = []
    const port = await listen(
      createTcpServer((socket) => {
        const onward = createConnection(Number(new URL(url).port), '127.0.0.1')
        for (const one of [socket, onward]) one.on('data', (chunk: Buffer) => seen.push(chunk))
        pipe(socket, onward)
      }),
    )
    await ProtocolClient.connect(`perdure://127.0.0.1:${port}`, { user: 'admin', password: PASSWORDS.admin })
    const wire = Buffer.concat(seen).toString('latin1')
    expect(wire).to.include('SCRAM-SHA-256')
    expect(wire).not.to.include(PASSWORDS.admin)
    expect(wire).not.to.include(Buffer.from(PASSWORDS.admin).toString('base64').replaceAll('=', ''))
  })

  it('is not taken for one that lets in everybody, which may be an impostor', async () => {
    const impostor = await serve(new MemoryStorage(), { listen: { port: 0 } })
    const at = impostor.addresses[0]?.url as string
    const error = await failure('PERDURE_AUTHENTICATION', () =>
      ClientStorage.connect(at, { user: 'admin', password: PASSWORDS.admin }),
    )
    expect(error.message).to.include('did not ask')
    await impostor.stop()
  })

  it('serves no Durus clients, who cannot say who they are', async () => {
    await server.stop()
    for (const own of [{ users }, {}]) {
      server = await serve(undefined, { listen: { port: 0 }, serializer: 'pickle', ...own })
      const address = server.addresses[0]?.address as { port: number }
      const socket = createConnection(address.port, '127.0.0.1')
      const answer: Buffer[] = []
      socket.on('data', (chunk: Buffer) => answer.push(chunk)).on('error', () => {})
      const answered = Promise.race([once(socket, 'data'), once(socket, 'close')])
      socket.write(Buffer.from('V\0\0\0\x01', 'latin1'))
      await answered
      // Version 1 is that of Durus; any other makes its client give up.
      expect(Buffer.concat(answer).toString('hex') === '00000001').to.equal(!('users' in own))
      await server.stop()
      socket.destroy()
    }
  })

  describe('and TLS', () => {
    let authority: Certificate
    let certificate: Certificate

    before(async () => {
      authority = await makeAuthority('authority')
      certificate = await makeCertificate(authority)
    })

    beforeEach(() => start({ tls: writeCertificate(directory, 'server', certificate) }))

    function logInBy(at: string, channelBinding?: Uint8Array): Promise<ProtocolClient> {
      return ProtocolClient.connect(at, {
        user: 'admin',
        password: PASSWORDS.admin,
        tls: { ca: authority.cert },
        ...(channelBinding && { channelBinding }),
      })
    }

    it('binds the login to the connection', async () => {
      expect((await logInBy(url)).welcome.role).to.equal('admin')
      await failure('PERDURE_AUTHENTICATION', () => logInBy(url, Buffer.alloc(32)))
    })

    it('refuses a login that somebody in between passes on, even one whose certificate is trusted', async () => {
      const port = await listen(
        createTlsServer({ ...certificate, minVersion: 'TLSv1.3' }, (socket) => {
          pipe(socket, connectTls({ port: Number(new URL(url).port), host: '127.0.0.1', ca: authority.cert }))
        }),
      )
      const error = await failure('PERDURE_AUTHENTICATION', () => logInBy(`perdure+tls://127.0.0.1:${port}`))
      expect(error.message).to.include('TLS connection')
    })

    it('refuses a login from whose list somebody in between took the channel binding', async () => {
      const port = await listen(
        createTlsServer({ ...certificate, minVersion: 'TLSv1.3' }, (socket) => {
          const onward = connectTls({ port: Number(new URL(url).port), host: '127.0.0.1', ca: authority.cert })
          // The length of the name stays the same, so that the frame stays one; it is none that anybody knows.
          pipe(socket, onward, (chunk) =>
            Buffer.from(chunk.toString('latin1').replace('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256-NONE'), 'latin1'),
          )
        }),
      )
      const error = await failure('PERDURE_AUTHENTICATION', () => logInBy(`perdure+tls://127.0.0.1:${port}`))
      expect(error.message).to.include('told that it does not')
    })
  })

  async function listen(proxy: Server): Promise<number> {
    closing.push(proxy)
    proxy.listen(0, '127.0.0.1')
    await new Promise((resolve) => proxy.once('listening', resolve))
    return (proxy.address() as { port: number }).port
  }

  /** Passes bytes on in both directions; those to the client changed, if need be. */
  function pipe(client: Socket, onward: Socket, change = (chunk: Buffer): Buffer => chunk): void {
    client.on('data', (chunk: Buffer) => onward.write(chunk)).on('error', () => {})
    onward.on('data', (chunk: Buffer) => client.write(change(chunk))).on('error', () => {})
    client.once('close', () => onward.destroy())
    onward.once('close', () => client.destroy())
  }
})

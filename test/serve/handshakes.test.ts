import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { expect } from 'chai'
import { encodeClientMessage } from '../../src/server/protocol/message-frames.js'
import { DEFAULT_LIMITS, PREFACE } from '../../src/server/protocol/messages.js'
import { addUser, type RunningServer, type ServeOptions, serve } from '../../src/server.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { makeAuthority, makeCertificate, writeCertificate } from '../support/certificates.js'
import { Lines } from '../support/lines.js'
import { dial, type LoginOptions, ProtocolClient } from '../support/login-client.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const COUNT = 300
const ADA = { user: 'ada', password: 'pencil' }

const HELLO = encodeClientMessage(1, { type: 'hello', hello: { versions: [2], limits: DEFAULT_LIMITS, agent: '' } })
const WRONG = encodeClientMessage(2, {
  type: 'authenticate',
  mechanism: 'SCRAM-SHA-256',
  data: Buffer.from('n,,n=ada,r=x'),
})

/** How somebody can keep a server waiting. */
const WAYS: Record<string, readonly Buffer[]> = {
  'say nothing': [],
  'say the beginning of the preface': [PREFACE.subarray(0, 3)],
  'say half a hello': [PREFACE, HELLO.subarray(0, 9)],
  'do not answer the challenge': [PREFACE, HELLO],
  'stop in the middle of the exchange': [PREFACE, HELLO, WRONG],
}

describe('Clients that keep a server waiting', () => {
  let directory: TemporaryDirectory
  let users: string
  let log: Lines
  let server: RunningServer
  let url: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    users = directory.join('users')
    await addUser(users, { name: ADA.user, role: 'writer', password: ADA.password })
    log = new Lines()
  })

  afterEach(async () => {
    await server.stop()
    directory.remove()
  })

  async function start(options: ServeOptions): Promise<void> {
    server = await serve(new MemoryStorage(), {
      listen: { port: 0 },
      users,
      log: { destination: log },
      ...options,
    })
    url = server.addresses[0]?.url as string
  }

  async function crowd(says: readonly Buffer[], count = COUNT): Promise<Socket[]> {
    const sockets = await Promise.all(Array.from({ length: count }, () => dial(url.replace('+tls', ''))))
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.resume()
      socket.write(Buffer.concat(says))
    }
    return sockets
  }

  function allClosed(sockets: readonly Socket[]): Promise<unknown> {
    return Promise.all(
      sockets.map((socket) => (socket.closed ? undefined : new Promise((resolve) => socket.once('close', resolve)))),
    )
  }

  for (const [what, says] of Object.entries(WAYS)) {
    it(`do not keep others out when they ${what}, and are given up`, async () => {
      await start({ handshakeTimeoutMs: 1000 })
      const sockets = await crowd(says)
      const client = await ProtocolClient.connect(url, ADA)
      await client.ask({ type: 'ping' })
      await allClosed(sockets)
      await client.ask({ type: 'ping' })
      expect(server.statistics()).to.include({ clients: 1, connections: COUNT + 1, refusals: COUNT })
      expect(log.entries.filter(({ code }) => code === 'PERDURE_TIMEOUT')).to.have.length(COUNT)
    })
  }

  it('give way to others when there is no room left', async () => {
    await start({ handshakeTimeoutMs: 600_000, maxConnections: 10 })
    await crowd([PREFACE, HELLO])
    const clients: ProtocolClient[] = []
    for (let i = 0; i < 10; i++) {
      clients.push(await ProtocolClient.connect(url, ADA))
      await crowd([], 20)
    }
    // Clients that have been let in do not give way.
    for (const client of clients) await client.ask({ type: 'ping' })
    let problem: unknown
    await ProtocolClient.connect(url, ADA).catch((error) => (problem = error))
    expect(problem).to.be.instanceOf(Error)
    for (const client of clients) await client.ask({ type: 'ping' })
    await clients[0]?.close()
    await log.wait(({ event, session }) => event === 'disconnected' && session === COUNT + 1)
    await ProtocolClient.connect(url, ADA)
  })

  it('do so in the handshake of TLS as well', async () => {
    const authority = await makeAuthority('authority')
    writeFileSync(directory.join('ca.pem'), authority.cert)
    await start({
      handshakeTimeoutMs: 1000,
      maxConnections: 10,
      tls: writeCertificate(directory, 'server', await makeCertificate(authority)),
    })
    const options: LoginOptions = { ...ADA, tls: { ca: authority.cert } }
    const silent = await crowd([])
    const slow = await crowd([Buffer.from([0x16, 3, 1])])
    const client = await ProtocolClient.connect(url, options)
    await allClosed([...silent, ...slow])
    await client.ask({ type: 'ping' })
    expect(server.statistics()).to.include({ clients: 1, connections: 1 })
    expect(log.entries.filter(({ code }) => code === 'ERR_TLS_HANDSHAKE_TIMEOUT')).to.have.length(2 * COUNT)
  })
})

import { chmodSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { expect } from 'chai'
import { type RunningServer, type ServeOptions, serve } from '../../src/server.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { type Certificate, makeAuthority, makeCertificate, writeCertificate } from '../support/certificates.js'
import { failure } from '../support/errors.js'
import { Lines } from '../support/lines.js'
import { dial, ProtocolClient } from '../support/login-client.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('A server with TLS', () => {
  let authority: Certificate
  let stranger: Certificate
  let certificate: Certificate
  let directory: TemporaryDirectory
  let files: { cert: string; key: string }
  let ca: string
  let log: Lines
  let server: RunningServer
  let url: string

  before(async () => {
    authority = await makeAuthority('authority')
    stranger = await makeAuthority('stranger')
    certificate = await makeCertificate(authority)
  })

  beforeEach(() => {
    directory = new TemporaryDirectory()
    files = writeCertificate(directory, 'server', certificate)
    ca = directory.join('ca.pem')
    writeFileSync(ca, authority.cert)
    log = new Lines()
  })

  afterEach(async () => {
    await server.stop()
    directory.remove()
  })

  async function start(options: ServeOptions = {}): Promise<void> {
    server = await serve(new MemoryStorage(), {
      listen: { port: 0 },
      tls: files,
      log: { level: 'debug', destination: log },
      ...options,
    })
    url = server.addresses[0]?.url as string
  }

  function connect(tls: ConnectionOptions = {}): Promise<ProtocolClient> {
    return ProtocolClient.connect(url, { tls: { ca: authority.cert, ...tls } })
  }

  /** Why the connection did not come about. */
  async function refusal(attempt: Promise<unknown>): Promise<string> {
    try {
      await attempt
    } catch (error) {
      return String((error as { code?: string }).code ?? error)
    }
    throw new Error('It came about.')
  }

  it('speaks TLS 1.3', async () => {
    await start()
    expect(url).to.match(/^perdure\+tls:\/\/127\.0\.0\.1:\d+$/)
    const { socket } = await connect()
    expect((socket as TLSSocket).getProtocol()).to.equal('TLSv1.3')
  })

  it('refuses TLS 1.2', async () => {
    await start()
    expect(await refusal(connect({ maxVersion: 'TLSv1.2' }))).to.match(/PROTOCOL_VERSION/)
    await log.wait(({ event }) => event === 'refused')
    await connect()
  })

  it('refuses clients without TLS, and goes on', async () => {
    await start()
    expect(await refusal(ProtocolClient.connect(url.replace('+tls', '')))).to.match(/EndedEarly|ECONNRESET|closed/)
    await log.wait(({ event }) => event === 'refused')
    await connect()
  })

  it('is refused by clients who do not trust it', async () => {
    await start()
    expect(await refusal(connect({ ca: stranger.cert }))).to.match(/SIGNATURE|ISSUER|CERT/)
    await connect()
  })

  it('takes TLS on other addresses than loopback, if strangers have a role', async () => {
    await start({ listen: { host: '0.0.0.0', port: 0 }, anonymous: 'reader' })
    expect((await connect()).welcome.role).to.equal('reader')
  })

  describe('that asks for client certificates', () => {
    beforeEach(() => start({ tls: { ...files, ca }, listen: { host: '0.0.0.0', port: 0 } }))

    it('lets in who has one, under its name', async () => {
      await connect(await makeCertificate(authority, 'ada'))
      expect(await log.wait(({ event }) => event === 'welcomed')).to.include({ user: 'ada', role: 'admin' })
    })

    it('refuses who has none, one of somebody else’s, or an expired one', async () => {
      const expired = await makeCertificate(authority, 'ada', { expired: true })
      const foreign = await makeCertificate(stranger, 'ada')
      for (const wrong of [{}, foreign, expired]) {
        expect(await refusal(connect(wrong))).to.match(/ERR_SSL_\w+_ALERT_|ECONNRESET|EPIPE|closed/i)
        await log.wait(({ event }) => event === 'refused')
      }
      expect(server.statistics()).to.include({ connections: 0, clients: 0 })
      await connect(await makeCertificate(authority, 'ada'))
    })
  })

  describe('reloads', () => {
    function issuer(socket: Socket): string | undefined {
      return (socket as TLSSocket).getPeerCertificate().issuer?.CN as string | undefined
    }

    it('its certificate, for new connections', async () => {
      await start()
      const before = await connect()
      writeCertificate(directory, 'server', await makeCertificate(stranger))
      await server.reload()
      const after = await connect({ ca: stranger.cert })
      expect([issuer(before.socket), issuer(after.socket)]).to.deep.equal(['authority', 'stranger'])
      await before.ask({ type: 'ping' })
    })

    it('the authorities of its clients', async () => {
      await start({ tls: { ...files, ca } })
      const ada = await makeCertificate(authority, 'ada')
      const session: Buffer[] = []
      const { socket } = await connect(ada)
      socket.on('session', (ticket: Buffer) => session.push(ticket))
      writeFileSync(ca, stranger.cert)
      await server.reload()
      await refusal(connect(ada))
      for (const ticket of session) await refusal(connect({ ...ada, session: ticket }))
      await connect(await makeCertificate(stranger, 'eve'))
    })

    it('nothing that cannot be used', async () => {
      await start()
      chmodSync(files.key, 0o666)
      await failure('PERDURE_PERMISSION', () => server.reload())
      writeFileSync(files.cert, 'nonsense')
      chmodSync(files.key, 0o600)
      await failure('PERDURE_ARGUMENT', () => server.reload())
      await connect()
      const failed = log.entries.filter(({ event }) => event === 'reloadFailed')
      expect(failed).to.have.length(2)
      expect(log.text).not.to.include('PRIVATE KEY')
    })
  })

  it('warns of a certificate that has expired', async () => {
    await start({
      tls: writeCertificate(directory, 'old', await makeCertificate(authority, 'localhost', { expired: true })),
    })
    expect(log.entries.map(({ event }) => event)).to.include('certificateExpired')
    expect(await refusal(connect())).to.equal('CERT_HAS_EXPIRED')
  })

  it('does not wait for handshakes when it is stopped', async () => {
    await start({ handshakeTimeoutMs: 600_000 })
    const silent = await dial(url.replace('+tls', ''))
    const ended = new Promise((resolve) => silent.on('error', () => {}).once('close', resolve))
    await connect()
    await server.stop()
    await ended
  })
})

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect } from 'chai'
import { type Address, parseAddress } from '../../../src/server/address.js'
import { Listener } from '../../../src/server/listen/listener.js'
import { type LoadedTls, loadTls } from '../../../src/server/listen/tls-files.js'
import { type Certificate, makeAuthority, makeCertificate, writeCertificate } from '../../support/certificates.js'
import { failure } from '../../support/errors.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

describe('A listener', () => {
  let authority: Certificate
  let directory: TemporaryDirectory
  let accepted: { socket: Socket; address: Address }[]
  let listeners: Listener[]

  before(async () => {
    authority = await makeAuthority('authority')
  })

  beforeEach(() => {
    directory = new TemporaryDirectory()
    accepted = []
    listeners = []
  })

  afterEach(() => {
    for (const listener of listeners) listener.close()
    for (const { socket } of accepted) socket.destroy()
    directory.remove()
  })

  async function listen(at: Parameters<typeof parseAddress>[0], tls?: LoadedTls, maxHandshakes = 3): Promise<Listener> {
    const listener = await Listener.open(parseAddress(at), {
      accept: (socket, address) => accepted.push({ socket: socket.on('error', () => {}), address }),
      refused: () => {},
      tls,
      access: { umask: 0o077 },
      handshakeTimeoutMs: 600_000,
      maxHandshakes,
    })
    listeners.push(listener)
    return listener
  }

  it('gives up the oldest TLS handshakes when there are too many', async () => {
    const tls = await loadTls(writeCertificate(directory, 'server', await makeCertificate(authority)))
    const { address } = await listen({ port: 0 }, tls)
    const { port } = address as { port: number }
    const secured: Socket[] = []
    for (let i = 0; i < 2; i++) {
      const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert })
      await once(socket, 'secureConnect')
      secured.push(socket)
    }
    const silent: Socket[] = []
    for (let i = 0; i < 5; i++) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      silent.push(socket.resume())
    }
    for (const socket of silent.slice(0, 2)) await closed(socket)
    // Of those left, one more gives way to a client that speaks; connections that are made do not count.
    const late = connectTls({ port, host: '127.0.0.1', ca: authority.cert })
    await once(late, 'secureConnect')
    await closed(silent[2] as Socket)
    expect([...silent.slice(3), ...secured].map(({ destroyed }) => destroyed)).to.deep.equal([
      false,
      false,
      false,
      false,
    ])
    for (const socket of [...silent, ...secured, late]) socket.destroy()
  })

  async function closed(socket: Socket): Promise<void> {
    if (!socket.closed) await once(socket, 'close')
  }

  it('says where a connection came in', async () => {
    const path = directory.join('socket')
    const tcp = await listen({ port: 0 })
    const unix = await listen({ path })
    expect(unix.url).to.equal(`perdure+unix://${path}`)
    for (const place of [{ port: (tcp.address as { port: number }).port }, { path }]) {
      const socket = connect(place)
      await once(socket, 'connect')
      while (accepted.every(({ address }) => (address.kind === 'unix') !== 'path' in place)) {
        await new Promise(setImmediate)
      }
      socket.destroy()
    }
    expect(accepted.map(({ address }) => address)).to.deep.equal([tcp.address, unix.address])
  })

  it('says why it cannot listen', async () => {
    const { port } = (await listen({ port: 0 })).address as { port: number }
    await failure('PERDURE_LOCKED', () => listen({ port }))
    await failure('PERDURE_ARGUMENT', () => listen({ host: '192.0.2.1', port: 0 }))
    await failure('PERDURE_ARGUMENT', () =>
      Listener.open(
        { kind: 'fd', fd: 99_999 },
        { accept: () => {}, refused: () => {}, tls: undefined, access: { umask: 0 }, handshakeTimeoutMs: 1 },
      ),
    )
  })
})

import { chmodSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { parseAddress } from '../../src/server/address.js'
import { addUser } from '../../src/server.js'
import type { ClientStorageOptions } from '../../src/storages/client/client-options.js'
import { ClientStorage } from '../../src/storages/client.js'
import { type Certificate, makeAuthority, makeCertificate, writeCertificate } from '../support/certificates.js'
import { failure } from '../support/errors.js'
import { Serving } from '../support/serving.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const PASSWORD = 'a pass phrase'

describe('A client that logs in', () => {
  let directory: TemporaryDirectory
  let authority: Certificate
  let serving: Serving
  let users: string

  before(async () => {
    directory = new TemporaryDirectory()
    authority = await makeAuthority('authority')
    users = directory.join('users')
    await addUser(users, { name: 'ada', role: 'admin', password: PASSWORD })
    const tls = writeCertificate(directory, 'server', await makeCertificate(authority))
    serving = await Serving.start({ tls, users })
  })

  after(async () => {
    await serving.end()
    directory.remove()
  })

  /** Connects, does something synchronous, and says what the client may do. */
  async function logIn(options: ClientStorageOptions, url = serving.url): Promise<boolean> {
    const storage = await ClientStorage.connect(url, { tls: { ca: authority.cert }, ...options })
    const { tid } = storage.snapshot()
    await storage.close()
    return tid >= 0 && !storage.readonly
  }

  it('gives its password as a string, by a function, in a file or in the environment', async () => {
    expect(await logIn({ user: 'ada', password: PASSWORD })).to.equal(true)
    expect(await logIn({ user: 'ada', password: async () => PASSWORD })).to.equal(true)
    const passwordFile = directory.join('password')
    writeFileSync(passwordFile, `${PASSWORD}\nsomething else\n`, { mode: 0o600 })
    expect(await logIn({ user: 'ada', passwordFile })).to.equal(true)
    chmodSync(passwordFile, 0o644)
    await failure('PERDURE_PERMISSION', () => logIn({ user: 'ada', passwordFile }))
    await failure('PERDURE_NOT_FOUND', () => logIn({ user: 'ada', passwordFile: directory.join('missing') }))
    await failure('PERDURE_ARGUMENT', () => logIn({ user: 'ada' }))
    process.env['PERDURE_PASSWORD'] = PASSWORD
    try {
      expect(await logIn({ user: 'ada' })).to.equal(true)
    } finally {
      delete process.env['PERDURE_PASSWORD']
    }
  })

  it('is refused without a password and with a wrong one, which nobody repeats', async () => {
    await failure('PERDURE_AUTHENTICATION', () => logIn({}))
    const password = 'a wrong phrase'
    const error = await failure('PERDURE_AUTHENTICATION', () => logIn({ user: 'ada', password }))
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.to.include('wrong phrase')
    await failure('PERDURE_AUTHENTICATION', () => logIn({ user: 'eve', password }))
  })

  it('does not trust a server whose certificate is of somebody else, or for another name', async () => {
    const login = { user: 'ada', password: PASSWORD }
    const stranger = (await makeAuthority('stranger')).cert
    await failure('PERDURE_AUTHENTICATION', () => logIn({ ...login, tls: { ca: stranger } }))
    await failure('PERDURE_AUTHENTICATION', () => logIn({ ...login, tls: {} }))
    const other = { ca: authority.cert, servername: 'other.example' }
    await failure('PERDURE_AUTHENTICATION', () => logIn({ ...login, tls: other }))
  })

  it('is told when one side speaks TLS and the other does not', async () => {
    const address = parseAddress(serving.url)
    if (address.kind !== 'tcp') throw new Error('it listens on TCP')
    const plain = { connectTimeoutMs: 300, user: 'ada', password: PASSWORD }
    const error = await failureOf(() => ClientStorage.connect({ host: '127.0.0.1', port: address.port }, plain))
    expect(error).to.be.oneOf(['PERDURE_PROTOCOL', 'PERDURE_TIMEOUT'])
    const open = await Serving.start({})
    const secret = await failureOf(() => logIn({ connectTimeoutMs: 300 }, open.url.replace('perdure:', 'perdure+tls:')))
    expect(secret).to.be.oneOf(['PERDURE_PROTOCOL', 'PERDURE_TIMEOUT'])
    await open.end()
  })

  it('shows its certificate where that is asked for', async () => {
    const ca = directory.join('clients.pem')
    writeFileSync(ca, authority.cert)
    const tls = { ...writeCertificate(directory, 'asking', await makeCertificate(authority)), ca }
    const asking = await Serving.start({ tls })
    const own = await makeCertificate(authority, 'ada')
    expect(await logIn({ tls: { ca: authority.cert, ...own } }, asking.url)).to.equal(true)
    await failure('PERDURE_AUTHENTICATION', () => logIn({ tls: { ca: authority.cert } }, asking.url))
    await asking.end()
  })
})

async function failureOf(action: () => Promise<unknown>): Promise<unknown> {
  try {
    await action()
  } catch (error) {
    return (error as { code?: string }).code
  }
  return 'it went through'
}

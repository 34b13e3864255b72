import { chmodSync, chownSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { loadTls, type TlsFiles } from '../../../src/server/listen/tls-files.js'
import { type Certificate, makeAuthority, makeCertificate, writeCertificate } from '../../support/certificates.js'
import { failure } from '../../support/errors.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

describe('loadTls', () => {
  let authority: Certificate
  let certificate: Certificate
  let directory: TemporaryDirectory
  let files: TlsFiles

  before(async () => {
    authority = await makeAuthority('authority')
    certificate = await makeCertificate(authority)
  })

  beforeEach(() => {
    directory = new TemporaryDirectory()
    files = writeCertificate(directory, 'server', certificate)
  })

  afterEach(() => directory.remove())

  it('asks for TLS 1.3, and for client certificates if there is an authority for them', async () => {
    const { options, validTo } = await loadTls(files)
    expect(options).to.include({ minVersion: 'TLSv1.3', requestCert: false, ...certificate })
    expect(validTo.getTime()).to.be.greaterThan(Date.now())
    const ca = directory.join('ca.pem')
    writeFileSync(ca, authority.cert)
    expect((await loadTls({ ...files, ca })).options).to.include({
      requestCert: true,
      rejectUnauthorized: true,
      ca: authority.cert,
    })
  })

  it('says that a certificate has expired', async () => {
    const paths = writeCertificate(directory, 'old', await makeCertificate(authority, 'localhost', { expired: true }))
    expect((await loadTls(paths)).validTo.getTime()).to.be.lessThan(Date.now())
  })

  it('refuses a key that others can read', async () => {
    for (const mode of [0o644, 0o604, 0o620]) {
      chmodSync(files.key, mode)
      const error = await failure('PERDURE_PERMISSION', () => loadTls(files))
      expect(error.message).to.include(files.key)
    }
  })

  it('takes a key that a group can read only from root', async () => {
    chmodSync(files.key, 0o640)
    if (process.getuid?.() === 0) {
      await loadTls(files)
      chownSync(files.key, 1234, 1234)
    }
    await failure('PERDURE_PERMISSION', () => loadTls(files))
  })

  it('refuses files that are missing, are no PEM, or do not fit each other', async () => {
    const other = writeCertificate(directory, 'other', await makeCertificate(authority))
    const nonsense = directory.join('nonsense')
    writeFileSync(nonsense, 'nonsense', { mode: 0o600 })
    for (const wrong of [
      { ...files, key: other.key },
      { ...files, key: nonsense },
      { ...files, cert: nonsense },
      { cert: files.key, key: files.cert },
    ]) {
      chmodSync(wrong.key, 0o600)
      const error = await failure('PERDURE_ARGUMENT', () => loadTls(wrong))
      expect(error.message).to.include(wrong.cert).and.include(wrong.key)
      expect(error.message).not.to.include('PRIVATE KEY')
    }
    await failure('PERDURE_ARGUMENT', () => loadTls({ ...files, ca: nonsense }))
    unlinkSync(files.cert)
    await failure('PERDURE_NOT_FOUND', () => loadTls(files))
    await failure('PERDURE_NOT_FOUND', () => loadTls({ cert: other.cert, key: directory.join('none') }))
  })
})

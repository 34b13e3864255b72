import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { expect } from 'chai'
import { open } from '../../src/index.js'
import { ServerCommands } from '../support/server-command.js'

describe('perdure certs create', () => {
  let servers: ServerCommands

  beforeEach(() => {
    servers = new ServerCommands()
  })

  afterEach(() => servers.remove())

  it('makes a key that only its owner reads, and a certificate for this machine', async () => {
    const { stdout, code, stderr } = await servers.run(['certs', 'create', '--directory', 'certs'])
    expect(code, stderr).to.equal(0)
    expect(stdout).to.include('db start --tls-cert certs/perdure-cert.pem --tls-key certs/perdure-key.pem')
    const cert = new X509Certificate(readFileSync(servers.directory.join('certs/perdure-cert.pem')))
    expect(cert.checkHost('localhost')).to.equal('localhost')
    expect(cert.checkIP('127.0.0.1')).to.equal('127.0.0.1')
    expect(cert.checkIP('::1')).to.equal('::1')
    expect(cert.checkHost('db.example')).to.equal(undefined)
    expect(statSync(servers.directory.join('certs/perdure-key.pem')).mode & 0o777).to.equal(0o600)
    const again = await servers.run(['certs', 'create', '--directory', 'certs'])
    expect(again.code).to.equal(2)
    expect(again.stderr).to.include('already')
  })

  it('makes it for other names, and as long as is asked', async () => {
    const args = ['certs', 'create', '--host', 'db.example', '--host', '10.0.0.5', '--days', '2']
    expect((await servers.run(args)).code).to.equal(0)
    const cert = new X509Certificate(readFileSync(servers.directory.join('perdure-cert.pem')))
    expect(cert.checkHost('db.example')).to.equal('db.example')
    expect(cert.checkIP('10.0.0.5')).to.equal('10.0.0.5')
    expect(cert.checkHost('localhost')).to.equal(undefined)
    const days = (Date.parse(cert.validTo) - Date.now()) / 86_400_000
    expect(days).to.be.within(1.9, 2)
  })

  it('serves for a server and its clients, which refuse each other without', async () => {
    await servers.run(['certs', 'create'])
    const files = ['--tls-cert', 'perdure-cert.pem', '--tls-key', 'perdure-key.pem']
    const { url, end } = await servers.start([...files, '--log-level', 'silent'])
    expect(url).to.match(/^perdure\+tls:/)
    const ca = readFileSync(servers.directory.join('perdure-cert.pem'))
    const { port } = new URL(url)
    for (const host of ['127.0.0.1', 'localhost']) {
      await using db = await open(`perdure+tls://${host}:${port}`, { tls: { ca } })
      await db.transact((root) => void root.set('key', host))
    }
    const flags = ['db', 'get', '/key', '--url', url]
    const trusted = await servers.run([...flags, '--tls-ca', 'perdure-cert.pem'])
    expect(trusted).to.deep.equal({ stdout: 'localhost\n', stderr: '', code: 0 })
    expect((await servers.run([...flags, '--timeout-ms', '3000'])).code).to.not.equal(0)
    await end()

    // With --tls-ca clients need a certificate too.
    const strict = await servers.start([...files, '--tls-ca', 'perdure-cert.pem', '--log-level', 'silent'])
    const socket = connect({ port: Number(new URL(strict.url).port), host: '127.0.0.1', ca })
    const refused = await new Promise<Error>((resolve) => socket.once('error', resolve))
    expect(refused).to.have.property('code', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
    const own = ['--tls-ca', 'perdure-cert.pem', '--tls-cert', 'perdure-cert.pem', '--tls-key', 'perdure-key.pem']
    expect(await servers.run(['db', 'ls', '--url', strict.url, ...own])).to.include({ code: 0 })
    expect((await servers.run(['db', 'start', '--tls-cert', 'perdure-cert.pem'])).code).to.equal(2)
  })

  it('makes them for names and addresses alone, and prints commands that can be typed', async () => {
    for (const host of ['', 'two words']) {
      const refused = await servers.run(['certs', 'create', '--directory', 'refused', '--host', host])
      expect(refused).to.include({ code: 2, stdout: '' })
    }
    expect(existsSync(servers.directory.join('refused'))).to.equal(false)
    const args = ['certs', 'create', '--directory', 'two words', '--host', '::1', '--host', 'bücher.example']
    const { stdout } = await servers.run(args)
    expect(stdout).to.include("--tls-ca 'two words/perdure-cert.pem'").and.include('perdure+tls://[::1] ')
    const cert = new X509Certificate(readFileSync(servers.directory.join('two words/perdure-cert.pem')))
    expect(cert.checkHost('xn--bcher-kva.example')).to.equal('xn--bcher-kva.example')
    expect(cert.checkIP('::1')).to.equal('::1')
  })

  it('leaves no key behind where there is a certificate already', async () => {
    writeFileSync(servers.directory.join('perdure-cert.pem'), 'mine')
    expect(await servers.run(['certs', 'create'])).to.include({ code: 2, stdout: '' })
    expect(existsSync(servers.directory.join('perdure-key.pem'))).to.equal(false)
  })
})

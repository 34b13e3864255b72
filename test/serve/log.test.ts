import { mkdirSync, readFileSync, renameSync } from 'node:fs'
import { expect } from 'chai'
import { ServeLog } from '../../src/serve-log.js'
import { addUser, type LogLevel, type RunningServer, serve } from '../../src/server.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { failure } from '../support/errors.js'
import { Lines, type LogEntry } from '../support/lines.js'
import { dial, ProtocolClient } from '../support/login-client.js'
import { numberRecord } from '../support/number-record.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const ADA = { user: 'ada', password: 'a secret pencil' }
const TOKEN = Buffer.alloc(16, 7)

describe('The log of a server', () => {
  let directory: TemporaryDirectory
  let users: string
  let server: RunningServer
  let lines: Lines

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    users = directory.join('users')
    lines = new Lines()
    await addUser(users, { name: ADA.user, role: 'admin', password: ADA.password })
  })

  afterEach(async () => {
    await server?.stop()
    directory.remove()
  })

  /** Does a bit of everything, and stops the server. */
  async function run(level: LogLevel | undefined, destination: Lines | string = lines): Promise<void> {
    server = await serve(new MemoryStorage(), {
      listen: { port: 0 },
      users,
      ...(level !== undefined && { log: { level, destination } }),
    })
    const url = server.addresses[0]?.url as string
    await failure('PERDURE_AUTHENTICATION', () => ProtocolClient.connect(url, { ...ADA, password: 'a wrong pencil' }))
    await failure('PERDURE_AUTHENTICATION', () => ProtocolClient.connect(url, { ...ADA, user: 'eve' }))
    const noise = await dial(url)
    noise.on('error', () => {}).write('GET / HTTP/1.1\r\n\r\n')
    await new Promise((resolve) => noise.resume().once('close', resolve))
    const client = await ProtocolClient.connect(url, ADA)
    const writes = [{ oid: 0, data: numberRecord(1) }]
    const commit = { type: 'commit', base: 0, note: '', user: '', reads: [], writes } as const
    await client.ask({ ...commit, token: TOKEN })
    await client.ask({ ...commit, token: Buffer.alloc(16, 8) })
    await client.ask({ type: 'pack', keepOld: false })
    await client.close()
    await ProtocolClient.connect(url, ADA)
    await server.stop()
  }

  function find(event: string): LogEntry[] {
    return lines.entries.filter((entry) => entry.event === event)
  }

  it('has two lines for each connection: who has come, and how it ended', async () => {
    await run('info')
    const welcomed = find('welcomed')
    expect(welcomed).to.have.length(2)
    expect(welcomed[0]).to.include({ level: 'info', user: 'ada', role: 'admin', protocol: 2 })
    expect(welcomed[0]?.['peer']).to.match(/^127\.0\.0\.1:\d+$/)
    expect(welcomed[0]?.['time']).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    const ended = find('disconnected')
    expect(ended).to.have.length(5)
    expect(ended.map(({ code }) => code)).to.include.members(['PERDURE_AUTHENTICATION', 'PERDURE_PROTOCOL'])
    const of = ended.find(({ session }) => session === welcomed[0]?.['session'])
    expect(of).to.include({ user: 'ada', protocol: 2, commits: 1, conflicts: 1 })
    expect(of?.['bytesIn']).to.be.greaterThan(100)
    expect(of?.['durationMs']).to.be.greaterThan(0)
  })

  it('says why somebody was not let in, as the client is not told', async () => {
    await run('warn')
    expect(find('authenticationFailed').map(({ cause }) => cause)).to.deep.equal(['wrong password', 'no such user'])
    expect(lines.entries.every(({ level }) => level === 'warn')).to.equal(true)
  })

  it('tells of packs, and of beginning and end', async () => {
    await run('info')
    expect(find('packed')[0]).to.deep.include({ user: 'ada', level: 'info' })
    const events = lines.entries.map(({ event }) => event)
    expect(events[0]).to.equal('started')
    expect(events.slice(-2)).to.include('stopped')
    expect(find('committed')).to.have.length(0)
  })

  it('tells of commits and conflicts at debug', async () => {
    await run('debug')
    expect(find('committed')[0]).to.include({ level: 'debug', user: 'ada', tid: 1, records: 1 })
    expect(find('conflict')[0]).to.include({ level: 'debug', user: 'ada', conflicts: 1 })
  })

  it('never has a password, a key, or a part of the exchange', async () => {
    await run('trace')
    const keys = [...readFileSync(users, 'utf8').matchAll(/"([\w+/]{20,}=*)"/g)].map((match) => match[1] as string)
    expect(keys).to.have.length(4)
    for (const secret of [ADA.password, 'a wrong pencil', 'n=ada', ',p=', 'v=', ...keys]) {
      expect(lines.text).not.to.include(secret)
    }
  })

  it('shows no field whose name says that it is a secret', async () => {
    const log = await ServeLog.open({ destination: lines, level: 'info' })
    const error = Object.assign(new Error('no'), { details: { password: 'pencil' }, password: 'pencil' })
    log.note('info', 'test', { password: 'pencil', tls: { key: 'pencil' }, verifier: { salt: 'pencil' } }, 'text')
    log.write({ event: 'requestFailed', session: 1, peer: 'p', request: 'load', error })
    expect(lines.entries).to.have.length(2)
    expect(lines.text).not.to.include('pencil')
  })

  it('is silent unless it is asked for', async () => {
    const write = process.stdout.write
    const written: unknown[] = []
    process.stdout.write = ((chunk: unknown) => written.push(chunk) > 0) as typeof write
    try {
      await run(undefined)
    } finally {
      process.stdout.write = write
    }
    expect(written).to.deep.equal([])
    await run('silent')
    expect(lines.text).to.equal('')
  })

  it('is complete in its file when the server has stopped', async () => {
    const path = directory.join('log')
    await run('debug', path)
    lines.write(readFileSync(path, 'utf8'))
    expect(lines.entries.at(-1)).to.include({ event: 'stopped', pid: process.pid })
    expect(find('disconnected')).to.have.length(5)
  })

  it('begins a new file when the old one was moved away', async () => {
    const path = directory.join('log')
    server = await serve(new MemoryStorage(), { listen: { port: 0 }, log: { destination: path } })
    renameSync(path, directory.join('log.1'))
    await server.reload()
    await server.stop()
    expect(readFileSync(directory.join('log.1'), 'utf8')).to.include('"started"')
    expect(readFileSync(path, 'utf8')).to.include('"stopped"').and.not.include('"started"')
  })

  it('tells of packs that were due', async () => {
    server = await serve(undefined, { listen: { port: 0 }, gcBytes: 1, log: { destination: lines } })
    const client = await ProtocolClient.connect(server.addresses[0]?.url as string)
    const writes = [{ oid: 0, data: numberRecord(1) }]
    await client.ask({ type: 'commit', base: 0, token: TOKEN, note: '', user: '', reads: [], writes })
    const entry = await lines.wait(({ event }) => event === 'packed')
    expect(entry['result']).to.include({ objectsAfter: 1 })
    await client.close()
  })

  it('goes on in the old file when there can be no new one', async () => {
    mkdirSync(directory.join('logs'))
    server = await serve(new MemoryStorage(), { listen: { port: 0 }, log: { destination: directory.join('logs/log') } })
    renameSync(directory.join('logs'), directory.join('old'))
    await failure('PERDURE_NOT_FOUND', () => server.reload())
    await server.stop()
    expect(readFileSync(directory.join('old/log'), 'utf8'))
      .to.include('"reloadFailed"')
      .and.include('"stopped"')
  })

  it('on a full disk neither ends the server nor keeps it from stopping', async () => {
    server = await serve(new MemoryStorage(), { listen: { port: 0 }, log: { destination: '/dev/full' } })
    await ProtocolClient.connect(server.addresses[0]?.url as string)
    await server.stop()
  })

  it('says in a line why a server does not start', async () => {
    server = await serve(new MemoryStorage(), { listen: { port: 0 } })
    const [taken] = server.addresses
    const options = { listen: taken?.url as string, log: { destination: lines } }
    const { message } = await failure('PERDURE_LOCKED', () => serve(new MemoryStorage(), options))
    const [entry] = find('startFailed')
    expect(entry).to.include({ level: 'error', code: 'PERDURE_LOCKED', reason: message })
    expect(entry).to.not.have.any.keys('err', 'stack')
  })
})

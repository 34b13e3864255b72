import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open } from '../../src/index.js'
import { ClientStorage } from '../../src/storages/client.js'
import { condition } from '../support/condition.js'
import { PACKAGE } from '../support/documented-programs.js'
import { failure } from '../support/errors.js'
import { ServerCommands } from '../support/server-command.js'

const BIN = join(PACKAGE, 'bin/perdure.js')

describe('perdure db stop, restart and status', () => {
  let servers: ServerCommands

  beforeEach(() => {
    servers = new ServerCommands()
  })

  afterEach(async () => {
    // Those in the background too.
    await servers.run(['db', 'stop', '--file', 'background.perdure'])
    await servers.remove()
  })

  function portOf(url: string): string {
    return new URL(url).port
  }

  it('find a server by its file, its address, its socket or its pid file, and wait until it has ended', async () => {
    const socket = servers.directory.join('s.socket')
    const file = await servers.start(['--file', 'a.perdure'])
    const port = await servers.start([])
    const name = await servers.start([])
    await servers.run(['certs', 'create'])
    const tls = await servers.start(['--tls-cert', 'perdure-cert.pem', '--tls-key', 'perdure-key.pem'])
    const unix = await servers.start(['--socket', socket])
    const pid = await servers.start(['--pid-file', 'a.pid'])
    expect(readFileSync(servers.directory.join('a.pid'), 'utf8')).to.equal(`${pid.pid}\n`)

    const several = await servers.run(['db', 'stop'])
    expect(several.code).to.equal(2)
    expect(several.stderr).to.include('Several servers run')

    const ways = [
      [file, '--file', 'a.perdure'],
      [port, '--port', portOf(port.url)],
      [name, '--host', 'localhost', '--port', portOf(name.url)],
      [tls, '--port', portOf(tls.url)],
      [unix, '--socket', socket],
      [pid, '--pid-file', 'a.pid'],
    ] as const
    for (const [server, ...flags] of ways) {
      // What is configured does not get in the way of what is said.
      const { stdout, stderr, code } = await servers.run(['db', 'stop', ...flags], { PERDURE_FILE: 'other.perdure' })
      expect(code, stderr).to.equal(0)
      expect(stdout).to.include(`Stopped the server at ${server.urls.join(', ')}`)
      expect(await server.ended).to.equal(0)
    }
    expect(existsSync(servers.directory.join('a.pid'))).to.equal(false)
    expect(await servers.run(['db', 'stop'])).to.include({ code: 3, stdout: '' })
    expect(await servers.run(['db', 'stop', '--file', 'a.perdure'])).to.include({ code: 3 })
  })

  it('status shows figures and latencies, and ends with a code of its own if there is no server', async () => {
    const { url, pid } = await servers.start(['--file', 'a.perdure'])
    await using db = await open(url)
    await db.transact((root) => void root.set('key', 1))
    const { stdout, code } = await servers.run(['db', 'status', '--file', 'a.perdure', '--json'])
    expect(code).to.equal(0)
    const status = JSON.parse(stdout)
    expect(status).to.include({ running: true, pid, file: servers.directory.join('a.perdure') })
    expect(status.urls).to.deep.equal([url])
    expect(status.statistics).to.include({ 'server.clients': 2, 'server.commits': 1 })
    expect(status.statistics).to.have.property('server.commitP99Ms')
    const text = await servers.run(['db', 'status'])
    expect(text.stdout).to.match(/^Process \d+ serves .*a\.perdure at perdure:/)
    // Another server is no answer.
    for (const flags of [
      ['--file', 'b.perdure'],
      ['--pid-file', servers.directory.join('b.pid')],
    ]) {
      writeFileSync(servers.directory.join('b.pid'), '1\n')
      const other = await servers.run(['db', 'status', ...flags, '--port', portOf(url)])
      expect(other, flags[0]).to.include({ code: 3, stdout: '' })
    }
    const none = await servers.run(['db', 'status', '--socket', servers.directory.join('none'), '--timeout-ms', '100'])
    expect(none).to.include({ code: 7, stdout: '' })
  })

  it('run in the background with a log; a restart keeps data, arguments and environment, and clients go on', async () => {
    const first = await servers.start([])
    const port = portOf(first.url)
    await first.end()
    const env = { PERDURE_PORT: port, PERDURE_PID_FILE: 'b.pid', PERDURE_FILE: 'background.perdure' }
    const started = await servers.run(['db', 'start', '--log-level', 'debug', '--detach'], env)
    expect(started.code, started.stderr).to.equal(0)
    expect(started.stdout).to.match(
      /^Serving background\.perdure at .*\n {2}connect with: .*\nRunning in the background/,
    )
    const pid = readFileSync(servers.directory.join('b.pid'), 'utf8')
    await using db = await open(`perdure://127.0.0.1:${port}`)
    await db.transact((root) => void root.set('key', 'kept'))

    const restarted = await servers.run(['db', 'restart', '--file', 'background.perdure'])
    expect(restarted.code, restarted.stderr).to.equal(0)
    expect(restarted.stdout).to.include(`perdure://127.0.0.1:${port}`)
    expect(readFileSync(servers.directory.join('b.pid'), 'utf8')).to.not.equal(pid)
    expect(await db.view((root) => root.get('key'))).to.equal('kept')

    const log = readFileSync(servers.directory.join('background.perdure.log'), 'utf8')
    const events = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).event)
    expect(events.filter((event) => event === 'started')).to.have.lengthOf(2)
    expect(events).to.include('committed')

    const second = await servers.run(['db', 'start', '--detach', '--port', '0'], { PERDURE_FILE: 'background.perdure' })
    expect(second).to.include({ code: 4, stdout: '' })
    expect(second.stderr).to.include('PERDURE_LOCKED')
    expect(await servers.run(['db', 'stop', '--pid-file', 'b.pid'])).to.include({ code: 0 })
  })

  it('leave their number beside the database in the background, and know how many transactions are open', async () => {
    const started = await servers.run(['db', 'start', '--file', 'background.perdure', '--port', '0', '--detach'])
    expect(started.code, started.stderr).to.equal(0)
    const url = /perdure:\/\/\S+/.exec(started.stdout)?.[0] as string
    const pid = readFileSync(servers.directory.join('background.perdure.pid'), 'utf8').trim()
    expect(started.stdout).to.include(`pid ${pid},`)
    const admin = await servers.run(['admin', url, '--eval', '[openTransactions(), root.size, openTransactions()]'])
    expect(admin).to.include({ code: 0, stdout: '[ 0, 0, 1 ]\n' })
    const restarted = await servers.run(['db', 'restart', '--pid-file', 'background.perdure.pid'])
    expect(restarted.code, restarted.stderr).to.equal(0)
    expect(readFileSync(servers.directory.join('background.perdure.pid'), 'utf8').trim()).to.not.equal(pid)
  })

  it('do not take another process for a server that was killed', async () => {
    const killed = await servers.start(['--file', 'a.perdure'])
    const [name = ''] = readdirSync(servers.directory.join('perdure'))
    const path = servers.directory.join(`perdure/${name}`)
    const said = JSON.parse(readFileSync(path, 'utf8'))
    await killed.end('SIGKILL')
    // This process was not started when that one was.
    writeFileSync(path, JSON.stringify({ ...said, pid: process.pid }))
    expect(await servers.run(['db', 'stop', '--file', 'a.perdure'])).to.include({ code: 3 })
    expect(existsSync(path)).to.equal(false)
  })

  it('stop asks a server elsewhere to end, if it allows that', async () => {
    const elsewhere = { XDG_RUNTIME_DIR: servers.directory.join('elsewhere') }
    mkdirSync(elsewhere.XDG_RUNTIME_DIR)
    const strict = await servers.start([], elsewhere)
    const refused = await servers.run(['db', 'stop', '--url', strict.url])
    expect(refused).to.include({ code: 8, stdout: '' })
    expect(refused.stderr.replace(/\s+(›\s+)?/g, ' ')).to.include('cannot be stopped by its clients')
    const lenient = await servers.start(['--allow-remote-stop'], elsewhere)
    const { stdout, code } = await servers.run(['db', 'stop', '--url', lenient.url])
    expect(code).to.equal(0)
    expect(stdout).to.equal(`Asked the server at ${lenient.url} to stop.\n`)
    expect(await lenient.ended).to.equal(0)
    const storage = await ClientStorage.connect(strict.url)
    await storage.close()
    await failure('PERDURE_CLOSED', () => storage.stopServer())
  })

  it('find a socket by a path that is meant from another folder, with characters that URLs do not have', async () => {
    mkdirSync(servers.directory.join('a b'))
    const { url, urls, end } = await servers.start(['--socket', 'a b/ü%20.socket'], { PERDURE_PORT: '' })
    expect(urls).to.have.lengthOf(1)
    await using db = await open(url)
    expect(await db.view((root) => root.size)).to.equal(0)
    for (const path of ['a b/ü%20.socket', './a b/ü%20.socket', servers.directory.join('a b/ü%20.socket')]) {
      const { stdout, stderr, code } = await servers.run(['db', 'status', '--socket', path])
      expect(code, stderr).to.equal(0)
      expect(stdout).to.match(/^Process \d+ serves/)
      const elsewhere = { XDG_RUNTIME_DIR: servers.directory.join('a b') }
      const client = ['db', 'client', '--socket', path, '--eval', 'root.size']
      expect(await servers.run(client, elsewhere)).to.include({ code: 0, stdout: '0\n' })
    }
    expect(await end()).to.equal(0)
  })

  it('believe only a folder where nobody else can write', async () => {
    const { end } = await servers.start([])
    chmodSync(servers.directory.join('perdure'), 0o777)
    const { code, stderr } = await servers.run(['db', 'stop'])
    expect(code).to.equal(8)
    expect(stderr).to.include('PERDURE_PERMISSION')
    chmodSync(servers.directory.join('perdure'), 0o700)
    expect(await end()).to.equal(0)
  })

  it('make no folder where none is said', async () => {
    const env = { XDG_RUNTIME_DIR: '', TMPDIR: servers.directory.path }
    expect(await servers.run(['db', 'stop'], env)).to.include({ code: 3 })
    expect(existsSync(servers.directory.join('perdure'))).to.equal(false)
    writeFileSync(servers.directory.join('file'), '')
    const none = await servers.run(['db', 'stop'], { XDG_RUNTIME_DIR: servers.directory.join('file') })
    expect(none).to.include({ code: 3, stdout: '' })
    expect(none.stderr).to.include('PERDURE_NOT_FOUND').and.include('cannot be made')
  })

  it('stop does not wait for a parent that does not ask how its child has ended', async () => {
    // The shell becomes a program that knows nothing of the server.
    const command = '"$0" "$1" db start --port 0 --pid-file zombie.pid --log-level silent & exec sleep 60'
    const env = { ...process.env, ...servers.env }
    const stdio = 'ignore' as const
    const parent = spawn('sh', ['-c', command, process.execPath, BIN], { cwd: servers.directory.path, env, stdio })
    try {
      await condition(() => existsSync(servers.directory.join('perdure')))
      await condition(() => readdirSync(servers.directory.join('perdure')).some((name) => name.endsWith('.json')))
      const stop = ['db', 'stop', '--pid-file', 'zombie.pid', '--timeout-ms', '10000']
      const { stdout, stderr, code } = await servers.run(stop)
      expect(code, stderr).to.equal(0)
      expect(stdout).to.include('Stopped the server')
    } finally {
      parent.kill('SIGKILL')
    }
  })
})

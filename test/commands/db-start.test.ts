import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { open, PersistentList } from '../../src/index.js'
import { withoutSettings } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { failure } from '../support/errors.js'
import { ServerCommands } from '../support/server-command.js'

describe('perdure db start', () => {
  let servers: ServerCommands

  beforeEach(() => {
    servers = new ServerCommands()
  })

  afterEach(() => servers.remove())

  it('serves a temporary database, which is removed when the server ends', async () => {
    const temporary = servers.directory.join('tmp')
    mkdirSync(temporary)
    const { url, output, end } = await servers.start([], { TMPDIR: temporary })
    expect(output()).to.equal(`Serving a temporary database at ${url}\n  connect with: perdure db client ${url}\n`)
    {
      await using db = await open(url)
      await db.transact((root) => void root.set('key', 1))
    }
    const byNpm = await servers.start([], { npm_lifecycle_event: 'start', TMPDIR: temporary })
    expect(byNpm.output()).to.include(`connect with: npx perdure db client ${byNpm.url}\n`)
    expect(await byNpm.end('SIGINT')).to.equal(0)
    expect(readdirSync(temporary)).to.have.lengthOf(1)
    expect(await end('SIGINT')).to.equal(0)
    expect(readdirSync(temporary)).to.deep.equal([])
    expect(readdirSync(servers.directory.join('perdure'))).to.deep.equal([])
  })

  it('takes the serializer and the durability of a new file', async () => {
    const { url, end } = await servers.start(['--file', 'a.perdure', '--serializer', 'cbor', '--durability', 'os'])
    {
      await using db = await open(url)
      expect(db.serializer).to.equal('cbor')
      await db.transact((root) => void root.set('key', 1))
      expect(db.statistics).to.include({ commits: 2, syncs: 0 })
    }
    expect(await end()).to.equal(0)
    const again = await servers.run(['db', 'start', '--file', 'a.perdure', '--serializer', 'msgpack'])
    expect(again).to.include({ code: 9, stdout: '' })
    const durable = await servers.start(['--file', 'a.perdure', '--durability', 'fsync'])
    await using db = await open(durable.url)
    await db.transact((root) => void root.set('key', 2))
    expect(db.statistics['syncs']).to.be.greaterThan(0)
  })

  it('takes how the index is loaded, from a flag, the environment or a file', async () => {
    const ways: [args: string[], env: Record<string, string>, config: string, rebuilds: number][] = [
      [['--index', 'memory'], {}, '{}', 0],
      [[], { PERDURE_INDEX: 'memory' }, '{}', 0],
      [[], {}, '{ "index": "memory" }', 0],
      [[], {}, '{}', 1],
    ]
    const path = servers.directory.join('a.perdure')
    for (const [args, env, config, rebuilds] of ways) {
      rmSync(path, { force: true })
      {
        await using db = await open(path)
        // More than a page of the index has: the server reads the first page when it starts.
        await db.transact((root) => {
          for (let i = 0; i < 1100; i++) root.set(String(i), new PersistentList([i]))
        })
      }
      writeFileSync(servers.directory.join('perdure.config.json'), config)
      const { url, end } = await servers.start(['--file', 'a.perdure', ...args], env)
      // Whoever needs a page of the index now finds that it is damaged, and that is counted.
      const { size } = statSync(`${path}.index`)
      writeFileSync(`${path}.index`, Buffer.alloc(size, 0xaa), { flag: 'r+' })
      {
        await using db = await open(url)
        expect(await db.view((root) => (root.get('1099') as PersistentList<number>).at(0))).to.equal(1099)
        expect(db.statistics['indexRebuilds']).to.equal(rebuilds)
      }
      expect(await end()).to.equal(0)
    }
    const refused = await servers.run(['db', 'start', '--file', 'a.perdure', '--index', 'disk'])
    expect(refused.code).to.equal(2)
    expect(refused.stderr).to.include('memory')
  })

  it('takes the kind of storage of a new file, that of a plugin too', async () => {
    const linked = await servers.run(['plugins', 'link', join(PACKAGE, 'plugins/example'), '--no-install'])
    expect(linked.code, linked.stderr).to.equal(0)
    const { url } = await servers.start(['--file', 'a.jsonl', '--storage', 'jsonl', '--serializer', 'v8'])
    // This process does not know the serializer.
    expect((await failure('PERDURE_SERIALIZER', () => open(url))).message).to.include('v8')
    const [title = ''] = readFileSync(servers.directory.join('a.jsonl'), 'utf8').split('\n')
    expect(JSON.parse(title)).to.include({ serializer: 'v8' })
    const unknown = await servers.run(['db', 'start', '--file', 'b', '--storage', 'paper'])
    expect(unknown.code).to.not.equal(0)
    expect(unknown.stderr).to.include('paper')
    expect(existsSync(servers.directory.join('b'))).to.equal(false)
  })

  describe('without a file', () => {
    /** Where temporary databases go. */
    const env = () => ({ TMPDIR: servers.directory.join('tmp') })
    const temporary = () => readdirSync(servers.directory.join('tmp'))

    beforeEach(async () => {
      mkdirSync(servers.directory.join('tmp'))
      const linked = await servers.run(['plugins', 'link', join(PACKAGE, 'plugins/example'), '--no-install'])
      expect(linked.code, linked.stderr).to.equal(0)
    })

    for (const storage of ['file', 'sqlite', 'jsonl', 'memory']) {
      it(`has a temporary database of the kind ${storage}, which is gone when it ends`, async () => {
        const args = ['--storage', storage, '--serializer', 'msgpack']
        const { url, output, end } = await servers.start(args, env())
        expect(output()).to.include('Serving a temporary database')
        {
          await using db = await open(url)
          await db.transact((root) => void root.set('key', storage))
          expect(await db.view((root) => root.get('key'))).to.equal(storage)
        }
        expect(temporary()).to.have.length(storage === 'memory' ? 0 : 1)
        expect(await end()).to.equal(0)
        expect(temporary()).to.deep.equal([])
      })
    }

    it('leaves one behind if it is killed, which the next one removes', async () => {
      for (const storage of ['file', 'sqlite', 'jsonl']) {
        const args = ['--storage', storage, '--serializer', 'msgpack']
        const { end } = await servers.start(args, env())
        const left = temporary()
        await end('SIGKILL')
        expect(temporary()).to.deep.equal(left)
        const next = await servers.start(args, env())
        expect(temporary()).to.have.length(1).and.not.to.deep.equal(left)
        expect(await next.end()).to.equal(0)
        expect(temporary()).to.deep.equal([])
      }
    })
  })

  it('serves readonly', async () => {
    const path = servers.directory.join('a.perdure')
    await (await open(path)).close()
    const before = readFileSync(path)
    const { url, end } = await servers.start(['--file', 'a.perdure', '--readonly'])
    {
      await using db = await open(url)
      await failure('PERDURE_READONLY', () => db.transact((root) => void root.set('key', 1)))
    }
    expect(await end()).to.equal(0)
    expect(readFileSync(path).equals(before)).to.equal(true)
  })

  it('repairs a damaged file, if it is told to, and keeps the damaged one', async () => {
    const path = servers.directory.join('a.perdure')
    {
      await using db = await open(path)
      await db.transact((root) => void root.set('key', 'a text that is damaged'))
      await db.transact((root) => void root.set('key', 'a text that is sound'))
    }
    rmSync(`${path}.index`, { force: true })
    const bytes = readFileSync(path)
    bytes.write('XXXX', bytes.indexOf('that is damaged'))
    writeFileSync(path, bytes)
    const refused = await servers.run(['db', 'start', '--file', 'a.perdure', '--port', '0'])
    expect(refused, refused.stderr).to.include({ code: 5 })
    const { url, output } = await servers.start(['--file', 'a.perdure', '--repair', '--log-level', 'silent'])
    expect(output()).to.include('a.perdure was damaged and has been repaired')
    await using db = await open(url)
    expect(await db.view((root) => root.get('key'))).to.equal('a text that is sound')
    const kept = readdirSync(servers.directory.path).filter((name) => name.startsWith('a.perdure.damaged-'))
    expect(kept).to.have.lengthOf(1)
    expect(readFileSync(servers.directory.join(kept[0] as string)).equals(bytes)).to.equal(true)
  })

  it('listens at a host and a port, and at a socket that has its owner, group and permissions', async () => {
    const isRoot = process.getuid?.() === 0
    const [owner, group] = isRoot ? [12_345, 23_456] : [process.getuid?.() as number, process.getgid?.() as number]
    const socket = servers.directory.join('s.socket')
    const { urls, end } = await servers.start([
      ...['--host', '127.0.0.2', '--port', '0', '--socket', socket, '--umask', '027'],
      ...['--owner', String(owner), '--group', String(group)],
    ])
    expect(urls).to.have.lengthOf(2)
    expect(urls).to.include(`perdure+unix://${socket}`)
    expect(urls.find((url) => url.startsWith('perdure:'))).to.match(/^perdure:\/\/127\.0\.0\.2:\d+$/)
    const { mode, uid, gid } = statSync(socket)
    expect({ mode: (mode & 0o777).toString(8), uid, gid }).to.deep.equal({ mode: '750', uid: owner, gid: group })
    for (const url of urls) await (await open(url)).close()
    expect(await end()).to.equal(0)
    expect(existsSync(socket)).to.equal(false)
    const wrong = await servers.run(['db', 'start', '--socket', socket, '--umask', 'rwx'])
    expect(wrong.code).to.equal(2)
    expect(wrong.stderr).to.include('octal')
  })

  it('takes settings from the environment, and before it from the command line, and after it from a file', async () => {
    writeFileSync(
      servers.directory.join('perdure.config.json'),
      JSON.stringify({ host: '127.0.0.3', serializer: 'cbor', file: 'configured.perdure', readonly: false }),
    )
    const first = await servers.start([], { PERDURE_LOG_LEVEL: 'silent', PERDURE_SERIALIZER: 'devalue' })
    expect(first.url).to.include('127.0.0.3')
    // The file says where it is from its own folder.
    expect(first.output()).to.match(/^Serving \/.*\/configured\.perdure at/)
    expect(first.errors()).to.equal('')
    {
      await using db = await open(first.url)
      expect(db.serializer).to.equal('devalue')
    }
    const second = await servers.start(['--host', '127.0.0.4', '--file', 'other'], { PERDURE_HOST: '127.0.0.5' })
    expect(second.url).to.include('127.0.0.4')
    await using db = await open(second.url)
    expect(db.serializer).to.equal('cbor')
  })

  it('logs to a file, as much as it is told', async () => {
    const log = () => readFileSync(servers.directory.join('a.log'), 'utf8')
    const { url, end, errors } = await servers.start(['--log-file', 'a.log', '--log-level', 'debug'])
    {
      await using db = await open(url)
      await db.transact((root) => void root.set('key', 1))
    }
    await end()
    const events = log()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).event)
    expect(events).to.include.members(['started', 'welcomed', 'committed', 'stopped'])
    expect(errors()).to.equal('')
    const before = log()
    const quiet = await servers.start(['--log-file', 'a.log', '--log-level', 'error'])
    await (await open(quiet.url)).close()
    await quiet.end()
    expect(log()).to.equal(before)
    const loud = await servers.start([])
    await loud.end()
    expect(loud.errors()).to.include('"event":"started"')
    expect((await servers.run(['db', 'start', '--log-level', 'shy'])).code).to.equal(2)
  })

  it('packs after so many bytes, after a time, or when so much is garbage', async () => {
    for (const flags of [
      ['--gc-bytes', '1000'],
      ['--gc-interval', '1s'],
      ['--gc-garbage-ratio', '0.1'],
    ]) {
      const { url, end } = await servers.start(['--file', `a${flags.join('')}`, '--durability', 'os', ...flags])
      await using db = await open(url)
      const packs = () => db.statistics['packs'] as number
      for (let i = 0; packs() === 0; i++) {
        await db.transact((root) => void root.set('key', `${i}`.repeat(200)))
      }
      await db.close()
      expect(await end()).to.equal(0)
    }
    expect((await servers.run(['db', 'start', '--gc-interval', 'often'])).code).to.equal(2)
    expect((await servers.run(['db', 'start', '--gc-garbage-ratio', '2'])).code).to.equal(2)
  })

  it('refuses to serve strangers from other machines by accident', async () => {
    const refused = await servers.run(['db', 'start', '--host', '0.0.0.0', '--port', '0'])
    expect(refused.code).to.equal(2)
    expect(refused.stderr.replace(/\s+(›\s+)?/g, ' ')).to.include('Other machines reach 0.0.0.0')
    const { end } = await servers.start(['--host', '0.0.0.0', '--insecure'])
    expect(await end()).to.equal(0)
  })

  it('listens at the socket that systemd passes, and nowhere else', async () => {
    const socket = createServer().listen({ port: 0, host: '127.0.0.1' })
    await once(socket, 'listening')
    const { port } = socket.address() as AddressInfo
    const args = [
      '-c',
      'LISTEN_PID=$$ exec "$@"',
      'sh',
      process.execPath,
      join(PACKAGE, 'bin/perdure.js'),
      'db',
      'start',
    ]
    const server = spawn('sh', args, {
      cwd: servers.directory.path,
      env: { ...withoutSettings(process.env), ...servers.env, LISTEN_FDS: '1', PERDURE_LOG_LEVEL: 'silent' },
      stdio: ['ignore', 'pipe', 'inherit', (socket as unknown as { _handle: { fd: number } })._handle.fd],
    })
    try {
      const [output] = (await once(server.stdout as Readable, 'data')) as [Buffer]
      expect(String(output).match(/perdure:\S+/)?.[0]).to.equal(`perdure://127.0.0.1:${port}`)
      server.kill()
      const rest = await text(server.stdout as Readable)
      expect(`${output}${rest}`.match(/Serving/g)).to.have.lengthOf(1)
    } finally {
      server.kill('SIGKILL')
      socket.close()
    }
  })
})

import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { contentHash } from '../../src/conversion/content-hash.js'
import { convert, open, PersistentMap } from '../../src/index.js'
import { FileStorage } from '../../src/storages/file.js'
import { failure } from '../support/errors.js'
import { ServerCommands } from '../support/server-command.js'

describe('perdure db convert', () => {
  let servers: ServerCommands

  beforeEach(async () => {
    servers = new ServerCommands()
    await using db = await open(servers.directory.join('a.perdure'))
    for (let i = 0; i < 3; i++) await db.transact((root) => void root.set('map', new PersistentMap([['n', i]])))
  })

  afterEach(() => servers.remove())

  const names = () => readdirSync(servers.directory.path)

  async function hashOf(name: string): Promise<string> {
    await using storage = await FileStorage.open(servers.directory.join(name), { readonly: true })
    return (await contentHash(storage)).hash
  }

  it('makes a database with another serializer, and tells what it holds', async () => {
    const hash = await hashOf('a.perdure')
    const { stdout, stderr, code } = await servers.run([
      'db',
      'convert',
      'a.perdure',
      'b.perdure',
      '--serializer',
      'cbor',
    ])
    expect(code).to.equal(0)
    expect(stdout)
      .to.match(/b\.perdure: 4 objects, \d+ bytes\nContent hash: /)
      .and.include(hash)
    expect(stderr).to.match(/^(copying: \d+ %\n)+(verifying: \d+ %\n)+$/)
    expect(await hashOf('b.perdure')).to.equal(hash)
    const json = await servers.run(['db', 'convert', 'a.perdure', 'c.perdure', '--history', '--json'])
    expect(json.stderr).to.equal('')
    expect(JSON.parse(json.stdout)).to.include({ storage: 'file', serializer: 'msgpack', transactions: 4, hash })
    const quick = await servers.run(['db', 'convert', 'a.perdure', 'd.perdure', '--no-verify'])
    expect(quick.stdout).to.not.match(/hash/)
  })

  it('copies from a server, whose users alone may read it', async () => {
    const { url } = await servers.start(['--file', 'a.perdure', '--log-level', 'silent'])
    const { code, stdout } = await servers.run([
      'db',
      'convert',
      url,
      'b.perdure',
      '--serializer',
      'devalue',
      '--history',
    ])
    expect(code).to.equal(0)
    const hash = await hashOf('b.perdure')
    expect(stdout)
      .to.match(/4 transactions\n/)
      .and.include(hash)
    expect(statSync(servers.directory.join('b.perdure')).mode & 0o077).to.equal(0)
    expect(await convert(url, servers.directory.join('c.perdure'))).to.include({ hash, storage: 'file' })
  })

  it('says what is wrong, and leaves nothing behind', async () => {
    writeFileSync(servers.directory.join('text'), 'This is a text.')
    const before = names()
    for (const [args, code] of [
      [['nowhere', 'b'], 3],
      [['text', 'b'], 5],
      [['a.perdure', 'text'], 2],
      [['a.perdure', 'b', '--serializer', 'paper'], 9],
      [['a.perdure', 'b', '--storage', 'paper'], 2],
      [['a.perdure'], 2],
      [['perdure+unix:///nowhere', 'b', '--timeout-ms', '100'], 7],
    ] as const) {
      expect(await servers.run(['db', 'convert', ...args]), args.join(' ')).to.include({ code, stdout: '' })
    }
    await failure('PERDURE_TIMEOUT', () =>
      convert('perdure+unix:///nowhere', 'b', { connect: { connectTimeoutMs: 100 } }),
    )
    expect(names()).to.have.members(before)
  })
})

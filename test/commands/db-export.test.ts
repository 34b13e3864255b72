import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open, PersistentList, packFile } from '../../src/index.js'
import { withoutSettings } from '../support/command-line.js'
import { condition } from '../support/condition.js'
import { PACKAGE } from '../support/documented-programs.js'
import { ServerCommands } from '../support/server-command.js'

describe('perdure db export and import', () => {
  let servers: ServerCommands

  beforeEach(async () => {
    servers = new ServerCommands()
    await using db = await open(servers.directory.join('a.perdure'))
    await db.transact((root) => void root.set('gone', new PersistentList()))
    await db.transact((root) => {
      root.delete('gone')
      root.set('list', new PersistentList(['a text', 2n ** 80n, new Date(7)]))
    })
    await db.close()
    // Then there is a gap in the oids.
    await packFile(servers.directory.join('a.perdure'))
  })

  afterEach(() => servers.remove())

  it('make a copy of a file, with the oids it has, of another serializer', async () => {
    const exported = await servers.run(['db', 'export', 'a.perdure', '--output', 'a.jsonl'])
    expect(exported).to.deep.equal({ stdout: '', stderr: '', code: 0 })
    expect(statSync(servers.directory.join('a.jsonl')).mode & 0o777).to.equal(0o600)
    const args = ['db', 'import', 'a.jsonl', '--file', 'b.perdure', '--serializer', 'cbor']
    const { stdout, stderr, code } = await servers.run(args)
    expect(stdout).to.match(/^b\.perdure: 2 objects\nContent hash: [0-9a-f]{64}\n$/)
    expect({ stderr, code }).to.deep.equal({ stderr: '', code: 0 })
    expect(statSync(servers.directory.join('b.perdure')).mode & 0o077).to.equal(0)
    const hash = async (name: string) => (await servers.run(['db', 'hash', name])).stdout
    expect(await hash('b.perdure')).to.equal(await hash('a.perdure'))
    expect(stdout).to.include((await hash('b.perdure')).split(' ')[0])
    const value = async (name: string) => (await servers.run(['db', 'get', '/list', '--file', name, '--json'])).stdout
    expect(await value('b.perdure')).to.equal(await value('a.perdure'))
    expect(JSON.parse(await value('b.perdure'))).to.have.nested.property('value.oid', 2)
    // Neither overwrites anything.
    expect(await servers.run(args)).to.include({ code: 2, stdout: '' })
    const lines = readFileSync(servers.directory.join('a.jsonl'), 'utf8')
    expect((await servers.run(['db', 'export', 'a.perdure', '--output', 'a.jsonl'])).code).to.not.equal(0)
    expect(readFileSync(servers.directory.join('a.jsonl'), 'utf8')).to.equal(lines)
  })

  it('work through pipes and from a server', async () => {
    const { url } = await servers.start(['--file', 'a.perdure', '--log-level', 'silent'])
    const { stdout } = await servers.run(['db', 'export', url])
    const imported = await servers.run(['db', 'import', '-', '--file', 'c.perdure', '--json'], {}, stdout)
    expect(JSON.parse(imported.stdout)).to.include({ file: 'c.perdure', objects: 2 })
    writeFileSync(servers.directory.join('half'), stdout.slice(0, stdout.length / 2))
    expect(await servers.run(['db', 'import', 'half', '--file', 'd.perdure'])).to.include({ code: 2, stdout: '' })
    expect(await servers.run(['db', 'import', 'nowhere', '--file', 'd.perdure'])).to.include({ code: 3 })
  })

  it('import gives up at Ctrl-C, and leaves nothing behind', async () => {
    const env = { ...withoutSettings(process.env), ...servers.env }
    const args = [join(PACKAGE, 'bin/perdure.js'), 'db', 'import', '-', '--file', 'e.perdure']
    const child = spawn(process.execPath, args, { cwd: servers.directory.path, env })
    const ended = once(child, 'close')
    child.stdin.write('{"format":"perdure-export","version":1,"tid":1}\n')
    const draft = servers.directory.join('e.perdure.converting')
    await condition(() => existsSync(draft) || child.exitCode !== null)
    child.kill('SIGINT')
    expect((await ended)[0]).to.equal(130)
    expect(readdirSync(servers.directory.path).filter((name) => name.startsWith('e.'))).to.deep.equal([])
  })
})

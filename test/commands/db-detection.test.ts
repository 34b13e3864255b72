import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open } from '../../src/index.js'
import { PACKAGE } from '../support/documented-programs.js'
import { ServerCommands } from '../support/server-command.js'

/** All commands that work on a file, with what stands behind its name. */
const COMMANDS: readonly (readonly [before: string, after?: string])[] = [
  ['pack'],
  ['storage'],
  ['admin', '--eval 1'],
  ['db pack'],
  ['db repair'],
  ['db verify'],
  ['db census'],
  ['db largest'],
  ['db export'],
  ['db show 0 --file'],
  ['db get /x --file'],
  ['db ls / --file'],
  ['db refs 0 --file'],
  ['db history --file'],
  ['db undo 1 --file'],
  ['db client', '--eval 1'],
  ['db start --file'],
  ['db start --repair --file'],
]

describe('perdure, given what is no database,', () => {
  let servers: ServerCommands

  before(() => {
    servers = new ServerCommands()
    copyFileSync(join(PACKAGE, 'test/fixtures/durus/shelf.durus'), servers.directory.join('old.durus'))
    writeFileSync(servers.directory.join('list.txt'), 'eggs\n')
  })

  after(() => servers.remove())

  for (const [before, after = ''] of COMMANDS) {
    it(`says so for ${[before, 'FILE', after].join(' ').trim()}`, async () => {
      for (const [file, words] of [
        [
          'old.durus',
          'it is a Durus file (SHELF-1). Make a database of it with `perdure db import-durus old.durus NEW`',
        ],
        ['list.txt', 'it is text beginning with "eggs"'],
      ] as const) {
        const args = `${before} ${file} ${after}`.trim().split(' ')
        const { stdout, stderr, code } = await servers.run(args, { PERDURE_PORT: '0' })
        expect(code, stderr).to.equal(5)
        expect(stdout).to.equal('')
        expect(stderr.replace(/\s+(›\s+)?/g, ' ')).to.include(words)
        expect(readdirSync(servers.directory.path).filter((name) => name.startsWith(file))).to.deep.equal([file])
      }
    })
  }

  it('repairs a database whose first bytes are damaged, if it is told the serializer', async () => {
    const path = servers.directory.join('bank.perdure')
    {
      await using db = await open(path)
      await db.transact((root) => root.set('ada', 1))
    }
    const content = readFileSync(path)
    writeFileSync(path, content.fill(0, 0, 8))
    const args = ['--file', path, '--repair', '--log-level', 'silent']
    const refused = await servers.run(['db', 'start', ...args])
    expect(refused.code, refused.stderr).to.equal(9)
    expect(readFileSync(path).equals(content)).to.equal(true)
    const server = await servers.start([...args, '--serializer', 'msgpack'])
    expect(server.output()).to.include('has been repaired')
    const { stdout } = await servers.run(['db', 'get', '/ada', '--url', server.url])
    expect(stdout).to.equal('1\n')
    expect(await server.end()).to.equal(0)
  })
})

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open } from '../../src/index.js'
import { PACKAGE } from '../support/documented-programs.js'
import { failure } from '../support/errors.js'
import { PseudoTerminal } from '../support/pseudo-terminal.js'
import { ServerCommands } from '../support/server-command.js'

const PASSWORD = 'correct horse battery'

describe('perdure users', () => {
  let servers: ServerCommands

  beforeEach(() => {
    servers = new ServerCommands()
  })

  afterEach(() => servers.remove())

  async function add(name: string, role: string, password = PASSWORD): Promise<void> {
    const args = ['users', 'add', name, '--role', role, '--users', 'users.txt']
    const { code, stderr, stdout } = await servers.run(args, {}, `${password}\n`)
    expect(code, stderr).to.equal(0)
    expect(stdout).to.equal(`${name} may log in as ${role}.\n`)
  }

  function terminal(command: string): PseudoTerminal {
    const env = { ...process.env, ...servers.env, TERM: 'xterm', NO_COLOR: '1' }
    const bin = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}'`
    return new PseudoTerminal(`${bin} ${command}`, { cwd: servers.directory.path, env })
  }

  it('add takes the password from a pipe or a file, and keeps neither it nor the file open to others', async () => {
    await add('ada', 'admin')
    writeFileSync(servers.directory.join('secret'), `${PASSWORD}\nsecond line\n`, { mode: 0o600 })
    const args = ['users', 'add', 'bob', '--role', 'reader', '--password-file', 'secret', '--users', 'users.txt']
    expect(await servers.run(args)).to.include({ code: 0, stderr: '' })
    const path = servers.directory.join('users.txt')
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    expect(readFileSync(path, 'utf8')).to.not.include(PASSWORD)

    const listed = await servers.run(['users', 'list', '--users', 'users.txt', '--json'])
    expect(JSON.parse(listed.stdout)).to.deep.equal({
      users: [
        { name: 'ada', role: 'admin' },
        { name: 'bob', role: 'reader' },
      ],
    })
    expect((await servers.run(['users', 'list'], { PERDURE_USERS: 'users.txt' })).stdout).to.match(/^ada +admin$/m)
    expect(await servers.run(['users', 'remove', 'ada', '--users', 'users.txt'])).to.include({ code: 0 })
    expect(readFileSync(path, 'utf8')).to.not.include('ada')
    expect((await servers.run(['users', 'remove', 'ada', '--users', 'users.txt'])).code).to.not.equal(0)
  })

  it('add takes no password from the command line, nor an empty one', async () => {
    const typed = await servers.run(['users', 'add', 'ada', '--users', 'users.txt', '--password', PASSWORD])
    expect(typed.code).to.equal(2)
    const empty = await servers.run(['users', 'add', 'ada', '--users', 'users.txt'])
    expect(empty.code).to.equal(2)
    expect(empty.stderr).to.include('There is no password')
    const nowhere = await servers.run(['users', 'add', 'ada'], {}, PASSWORD)
    expect(nowhere.stderr).to.include('--users')
    expect(readdirSync(servers.directory.path)).to.not.include('users.txt')
  })

  it('add asks for the password on a terminal, twice, and does not show it', async () => {
    const asked = terminal('users add ada --users users.txt')
    try {
      let screen = await asked.see('Password: ')
      asked.type(`${PASSWORD}\r`)
      screen += await asked.see('Once more: ')
      asked.type(`${PASSWORD}\r`)
      screen += await asked.see('ada may log in as writer.')
      expect(screen).to.not.include('horse')
      expect(await asked.ended()).to.equal(0)
    } finally {
      asked.kill()
    }
    const wrong = terminal('users add bob --users users.txt')
    try {
      await wrong.see('Password: ')
      wrong.type('one\r')
      await wrong.see('Once more: ')
      wrong.type('two\r')
      await wrong.see('The two passwords differ.')
      expect(await wrong.ended()).to.equal(2)
    } finally {
      wrong.kill()
    }
    const given = terminal('users add bob --users users.txt')
    try {
      await given.see('Password: ')
      given.type('\x03')
      expect(await given.ended()).to.equal(130)
    } finally {
      given.kill()
    }
    expect((await servers.run(['users', 'list', '--users', 'users.txt'])).stdout).to.not.include('bob')
  })

  it('lets in who has the password, as what he is, and logs no password', async () => {
    await add('ada', 'admin')
    await add('bob', 'reader')
    const { url, end, errors } = await servers.start(['--users', 'users.txt', '--log-level', 'trace'])
    {
      await using db = await open(url, { user: 'ada', password: PASSWORD })
      await db.transact((root) => void root.set('key', 1))
    }
    {
      await using db = await open(url, { user: 'bob', password: PASSWORD })
      await failure('PERDURE_READONLY', () => db.transact((root) => void root.set('key', 2)))
    }
    await failure('PERDURE_AUTHENTICATION', () => open(url, { user: 'ada', password: 'wrong horse' }))
    // Added while the server runs; the command line logs in as well.
    await add('eve', 'writer')
    writeFileSync(servers.directory.join('secret'), `${PASSWORD}\n`, { mode: 0o600 })
    const flags = ['--url', url, '--user', 'eve', '--password-file', 'secret']
    expect(await servers.run(['db', 'get', '/key', ...flags])).to.deep.equal({ stdout: '1\n', stderr: '', code: 0 })
    expect(await servers.run(['db', 'verify', ...flags])).to.include({ code: 9 })
    expect(await servers.run(['db', 'get', '/key', '--url', url])).to.include({ code: 8 })
    await end()
    expect(errors()).to.include('authenticationFailed')
    expect(errors()).to.not.include('horse')
  })
})

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open, PersistentMap } from '../../src/index.js'
import type { CommandResult } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { ServerCommands } from '../support/server-command.js'

const BIN = join(PACKAGE, 'bin/perdure.js')

describe('perdure, when something is wrong,', () => {
  let servers: ServerCommands

  beforeEach(() => {
    servers = new ServerCommands()
  })

  afterEach(() => servers.remove())

  function told({ stdout }: CommandResult): { code: string; message: string; details: object } {
    return (JSON.parse(stdout) as { error: { code: string; message: string; details: object } }).error
  }

  it('says so in a few words, whether a file or a server is asked', async () => {
    const { url } = await servers.start(['--file', 'a.perdure'])
    for (const command of ['get', 'ls']) {
      const { code, stderr } = await servers.run(['db', command, '/nobody', '--url', url])
      expect({ code, stderr }).to.deep.include({ code: 3 })
      expect(stderr).to.include('There is no nobody in the root').and.not.include('    at ')
      const inJson = await servers.run(['db', command, '/nobody', '--url', url, '--json'])
      expect(inJson).to.include({ code: 3, stderr: '' })
      expect(told(inJson)).to.include({ code: 'PERDURE_NOT_FOUND' })
    }
  })

  it('has one form for all errors with --json, and their exit codes', async () => {
    for (const args of [
      ['db', 'get'],
      ['db', 'status', '--misspelled'],
      ['db', 'largest', '--count', 'many'],
    ]) {
      const result = await servers.run([...args, '--json'])
      expect(result, args.join(' ')).to.include({ code: 2, stderr: '' })
      expect(told(result)).to.have.all.keys('code', 'message', 'details')
      expect(told(result).code).to.equal('PERDURE_ARGUMENT')
      expect(told(result).message).to.not.include('--help')
    }
  })

  it('tells what code has thrown, even what is no error', async () => {
    await (await open(servers.directory.join('a.perdure'))).close()
    for (const thrown of ['5', 'null', '"text"', '({ code: 3 })']) {
      const result = await servers.run(['db', 'client', 'a.perdure', '--eval', `throw ${thrown}`])
      expect(result).to.include({ code: 1, stdout: '' })
      expect(result.stderr).to.match(/^ *Error: Uncaught .*\n$/)
    }
  })

  it('refuses empty texts, and variables that are neither true nor false, rather than to guess', async () => {
    for (const args of [
      ['--file', ''],
      ['--socket', ''],
      ['--config', ''],
    ]) {
      expect(await servers.run(['db', 'status', ...args])).to.include({ code: 2, stdout: '' })
    }
    expect(await servers.run(['db', 'client', '', '--eval', '1'])).to.include({ code: 2, stdout: '' })
    await (await open(servers.directory.join('a.perdure'))).close()
    const commit = ['db', 'client', 'a.perdure', '--eval', "root.set('a', 1); await commit()"]
    const neither = await servers.run(commit, { PERDURE_READONLY: 'perhaps' })
    expect(neither).to.include({ code: 2, stdout: '' })
    expect(neither.stderr).to.include('PERDURE_READONLY')
    expect(await servers.run(commit, { PERDURE_READONLY: 'on' })).to.include({ code: 8, stdout: '' })
    expect(await servers.run(commit, { PERDURE_READONLY: 'off' })).to.include({ code: 0 })
  })

  it('says which file cannot be read or written, and why', async () => {
    await (await open(servers.directory.join('a.perdure'))).close()
    writeFileSync(servers.directory.join('there'), 'before')
    const cases = [
      [3, 'PERDURE_NOT_FOUND', 'db', 'export', 'a.perdure', '--output', 'nowhere/a.jsonl'],
      [2, 'PERDURE_ARGUMENT', 'db', 'export', 'a.perdure', '--output', 'there'],
      [2, 'PERDURE_ARGUMENT', 'db', 'import', '.', '--file', 'b.perdure'],
      [3, 'PERDURE_NOT_FOUND', 'db', 'start', '--port', '0', '--log-file', 'nowhere/log'],
      [3, 'PERDURE_NOT_FOUND', 'db', 'start', '--port', '0', '--log-level', 'silent', '--pid-file', 'nowhere/pid'],
      [3, 'PERDURE_NOT_FOUND', 'db', 'start', '--port', '0', '--detach', '--log-file', 'nowhere/log'],
    ] as const
    for (const [exit, error, ...args] of cases) {
      const { code, stderr } = await servers.run(args)
      expect({ args, code, stderr }).to.deep.include({ code: exit })
      expect(stderr, args.join(' ')).to.include(error).and.not.include('    at ')
    }
    expect(readFileSync(servers.directory.join('there'), 'utf8')).to.equal('before')
    expect(existsSync(servers.directory.join('perdure'))).to.equal(false)
  })

  it('is silent when whoever reads its output has seen enough, and says so when the disk is full', async () => {
    await using db = await open(servers.directory.join('a.perdure'))
    await db.transact((root) => {
      for (let i = 0; i < 2000; i++) root.set(`key ${i}`, new PersistentMap([['text', 'x'.repeat(100)]]))
    })
    for (const args of ['db export a.perdure', 'db ls / --limit 2000 --file a.perdure', 'db get / --file a.perdure']) {
      const command = `"$0" "$1" ${args}`
      const shell = ['-c', `{ ${command}; echo "$?" >&2; } | head -n 1`, process.execPath, BIN]
      const { stdout, stderr } = spawnSync('sh', shell, { cwd: servers.directory.path, encoding: 'utf8' })
      expect(stdout.split('\n')).to.have.lengthOf(2)
      expect(stderr, args).to.equal('0\n')
      if (!existsSync('/dev/full')) continue
      const full = ['-c', `${command} > /dev/full`, process.execPath, BIN]
      const result = spawnSync('sh', full, { cwd: servers.directory.path, encoding: 'utf8' })
      expect(result.status, result.stderr).to.equal(1)
      expect(result.stderr).to.include('ENOSPC').and.not.include('    at ')
    }
  })

  it('says what may help', async () => {
    const words = ({ stderr }: CommandResult) => stderr.replace(/\s+(›\s+)?/g, ' ')
    const nobody = await servers.run(['db', 'client', '--socket', 'nobody', '--eval', '1', '--timeout-ms', '100'])
    expect(words(nobody)).to.include('Try this:').and.include('perdure db start --file FILE')
    await using _db = await open(servers.directory.join('a b.perdure'))
    const locked = await servers.run(['pack', 'a b.perdure'])
    expect(locked).to.include({ code: 4 })
    expect(words(locked)).to.include(`perdure db status --file '${servers.directory.join('a b.perdure')}'`)
    await servers.run(['users', 'add', 'ada', '--users', 'users'], {}, 'secret\n')
    const { url, output } = await servers.start(['--users', 'users'])
    expect(output()).to.include(`connect with: perdure db client ${url} --user NAME\n`)
    expect(words(await servers.run(['db', 'get', '/', '--url', url]))).to.include('--user NAME')
  })

  it('wants a file where a server makes no sense', async () => {
    const { url } = await servers.start([])
    writeFileSync(servers.directory.join('lines'), '')
    for (const args of [
      ['db', 'start', '--file', url],
      ['pack', url],
      ['db', 'import', 'lines', '--file', url],
      ['db', 'repair', url],
    ]) {
      const { code, stderr } = await servers.run(args)
      expect({ code, stderr }, args.join(' ')).to.include({ code: 2 })
      expect(stderr).to.include('PERDURE_ARGUMENT').and.include('file')
    }
  })
})

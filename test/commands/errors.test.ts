import { expect } from 'chai'
import type { CommandResult } from '../support/command-line.js'
import { ServerCommands } from '../support/server-command.js'

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
    await servers.run(
      ['db', 'import', '-', '--file', 'a.perdure'],
      {},
      '{"format":"perdure-export","version":1,"tid":1}\n',
    )
    for (const thrown of ['5', 'null', '"text"', '({ code: 3 })']) {
      const result = await servers.run(['db', 'client', 'a.perdure', '--eval', `throw ${thrown}`])
      expect(result).to.include({ code: 1, stdout: '' })
      expect(result.stderr).to.match(/^ *Error: Uncaught .*\n$/)
    }
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type CommandResult, perdure } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { PseudoTerminal } from '../support/pseudo-terminal.js'
import { ServerCommands } from '../support/server-command.js'

interface Described {
  readonly id: string
  readonly summary?: string
  readonly examples?: readonly string[]
  readonly flags: Readonly<Record<string, { readonly summary?: string }>>
  readonly args: Readonly<Record<string, { readonly description?: string }>>
}

/** They do something and say so, or are a prompt; there is nothing for a program to read. */
const WITHOUT_JSON = [
  'admin',
  'certs:create',
  'db:client',
  'db:restart',
  'db:start',
  'db:stop',
  'users:add',
  'users:remove',
]

const manifest = JSON.parse(readFileSync(join(PACKAGE, 'oclif.manifest.json'), 'utf8')) as {
  readonly version: string
  readonly commands: Readonly<Record<string, Described>>
}
const commands = Object.values(manifest.commands)

describe('The help of perdure', () => {
  let place: ServerCommands

  beforeEach(() => {
    place = new ServerCommands()
  })

  afterEach(() => place.remove())

  function run(...args: string[]): Promise<CommandResult> {
    return place.run(args)
  }

  it('tells of every command what it does, by which arguments and flags, with examples', () => {
    expect(commands).to.have.lengthOf.above(20)
    for (const { id, summary = '', examples = [], flags, args } of commands) {
      expect(summary, id).to.match(/^[A-Z].*\.$/)
      expect(examples, id).to.have.lengthOf.above(0)
      for (const example of examples) expect(example, id).to.include('<%= config.bin %> <%= command.id %>')
      for (const [name, flag] of Object.entries(flags)) {
        if (name !== 'json') expect(flag.summary, `${id} --${name}`).to.match(/^[A-Z].*\S$/s)
      }
      for (const [name, arg] of Object.entries(args)) expect(arg.description, `${id} ${name}`).to.be.a('string')
    }
  })

  it('has --json for all commands that print data', () => {
    const without = commands.filter(({ flags }) => !('json' in flags)).map(({ id }) => id)
    expect(without.sort()).to.deep.equal(WITHOUT_JSON)
  })

  it('is shown by --help, with nothing left in it that is to be filled in', async () => {
    for (const id of ['db start', 'db pack', 'users add', 'config']) {
      const { stdout, code } = await run(...id.split(' '), '--help')
      expect(code).to.equal(0)
      expect(stdout).to.include('USAGE').and.to.include('EXAMPLES').and.to.include(`$ perdure ${id}`)
      expect(stdout).to.not.include('<%')
    }
  })

  it('describes the topics, each in a line', async () => {
    const { stdout } = await run('--help')
    expect(stdout).to.match(/^ {2}db +Serve databases/m)
    expect(stdout).to.match(/^ {2}users +Who may log in/m)
    expect(stdout).to.match(/^ {2}certs +Keys and certificates/m)
    expect((await run('db', '--help')).stdout).to.match(/^ {2}db verify +Check every object/m)
  })

  it('tells the version', async () => {
    expect((await run('--version')).stdout).to.match(new RegExp(`^perdure/${manifest.version} `))
    expect((await run('-V')).stdout).to.match(new RegExp(`^perdure/${manifest.version} `))
  })

  it('suggests what was meant, and ends with a code of its own', async () => {
    const wrong = await run('db', 'strat', '--file', 'x')
    expect(wrong).to.include({ code: 127, stdout: '' })
    expect(wrong.stderr).to.include('Did you mean perdure db start?')
    const strange = await run('nothing-like-it')
    expect(strange).to.include({ code: 127, stdout: '' })
    expect(strange.stderr).to.not.include('Did you mean')
  })

  it('asks on a terminal whether the suggestion was meant', async () => {
    const env = { ...process.env, ...place.env, TERM: 'xterm', NO_COLOR: '1' }
    const command = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}' adaptres`
    const terminal = new PseudoTerminal(command, { cwd: place.directory.path, env })
    try {
      await terminal.see(/Did you mean adapters\?/)
      terminal.type('y\r')
      await terminal.see('msgpack')
      expect(await terminal.ended()).to.equal(0)
    } finally {
      terminal.kill()
    }
  })

  it('sets up the completion of the shell, without a network', async () => {
    const { stdout, code, stderr } = await run('autocomplete', 'bash')
    expect(code, stderr).to.equal(0)
    expect(stdout).to.include('perdure autocomplete script bash')
    const script = await perdure(['autocomplete', 'script', 'bash'], { env: place.env })
    const path = /PERDURE_AC_BASH_SETUP_PATH=(\S+)/.exec(script.stdout)?.[1] as string
    expect(path).to.include(place.directory.path)
    const functions = readFileSync(join(path, '..', 'functions', 'bash', 'perdure.bash'), 'utf8')
    expect(functions).to.include('db:start').and.to.include('--gc-bytes')
  })
})

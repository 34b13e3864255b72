import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { type CommandOptions, perdure } from '../support/command-line.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

interface Shown {
  readonly file: string | null
  readonly settings: { readonly name: string; readonly value?: unknown; readonly source: string }[]
}

describe('perdure config', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  async function shown(options: CommandOptions = {}, ...args: string[]): Promise<Shown> {
    const { stdout, stderr, code } = await perdure(['config', '--json', ...args], { cwd: directory.path, ...options })
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as Shown
  }

  function setting(result: Shown, name: string) {
    return result.settings.find((each) => each.name === name)
  }

  it('shows what holds, and where it comes from', async () => {
    const path = `${realpathSync(directory.path)}/perdure.config.json`
    writeFileSync(path, JSON.stringify({ port: 4000, host: 'db.example', gcBytes: 1_000_000 }))
    const result = await shown({ env: { PERDURE_PORT: '5000', PERDURE_READONLY: 'yes' } })
    expect(result.file).to.equal(path)
    expect(setting(result, 'port')).to.deep.equal({ name: 'port', value: 5000, source: 'PERDURE_PORT' })
    expect(setting(result, 'readonly')).to.deep.equal({ name: 'readonly', value: true, source: 'PERDURE_READONLY' })
    expect(setting(result, 'host')).to.deep.equal({ name: 'host', value: 'db.example', source: path })
    expect(setting(result, 'gcBytes')).to.deep.equal({ name: 'gcBytes', value: 1_000_000, source: path })
    expect(setting(result, 'durability')).to.deep.equal({ name: 'durability', value: 'fsync', source: 'default' })
    expect(setting(result, 'users')).to.deep.equal({ name: 'users', source: '' })
  })

  it('finds the file in a folder above, in JavaScript too, or where it is told', async () => {
    mkdirSync(directory.join('a/b'), { recursive: true })
    writeFileSync(directory.join('perdure.config.mjs'), 'export default { port: 2 + 2 }\n')
    expect(setting(await shown({ cwd: directory.join('a/b') }), 'port')).to.include({ value: 4 })
    writeFileSync(directory.join('other.json'), '{ "port": 5 }')
    expect(setting(await shown({}, '--config', 'other.json'), 'port')).to.include({ value: 5 })
    expect(setting(await shown({ env: { PERDURE_CONFIG: 'other.json' } }), 'port')).to.include({ value: 5 })
  })

  const REFUSED: [string, string, CommandOptions, RegExp][] = [
    ['a setting that does not exist', '{ "prot": 1 }', {}, /perdure\.config\.json.*prot.*Did you mean port\?/],
    ['a value that cannot be', '{ "port": "high" }', {}, /perdure\.config\.json: port cannot be "high"/],
    ['a number out of range', '{ "port": 70000 }', {}, /port cannot be 70000; it is a whole number from 0 to 65535/],
    ['what is not one of the choices', '{ "durability": "maybe" }', {}, /one of fsync, os/],
    ['a file that is no JSON', '{ port', {}, /perdure\.config\.json cannot be read/],
    ['an empty text', '{ "file": "" }', {}, /file cannot be ""; it is a text that is not empty/],
    ['a list', '[]', {}, /must hold an object/],
    ['a bad variable', '{}', { env: { PERDURE_GC_BYTES: 'many' } }, /PERDURE_GC_BYTES: gcBytes cannot be "many"/],
  ]

  for (const [what, text, options, message] of REFUSED) {
    it(`refuses ${what}`, async () => {
      writeFileSync(directory.join('perdure.config.json'), text)
      const { stderr, code } = await perdure(['config'], { cwd: directory.path, ...options })
      expect(stderr.replace(/\s+(›\s+)?/g, ' ')).to.match(message)
      expect(code).to.equal(2)
    })
  }

  it('says when the file it is told to read is not there', async () => {
    const { stderr, code } = await perdure(['config', '--config', 'missing.json'], { cwd: directory.path })
    expect(stderr).to.include('missing.json')
    expect(code).to.equal(3)
  })

  it('means paths from the folder of the file that says them', async () => {
    mkdirSync(directory.join('a'))
    const folder = realpathSync(directory.path)
    const settings = {
      file: 'bank.perdure',
      socket: '@bank',
      users: '/etc/users',
      classes: './classes.js',
      startup: 'x',
    }
    writeFileSync(directory.join('perdure.config.json'), JSON.stringify(settings))
    const result = await shown({ cwd: directory.join('a') })
    expect(setting(result, 'file')).to.include({ value: `${folder}/bank.perdure` })
    expect(setting(result, 'socket')).to.include({ value: '@bank' })
    expect(setting(result, 'users')).to.include({ value: '/etc/users' })
    expect(setting(result, 'classes')).to.include({ value: `${folder}/classes.js` })
    expect(setting(result, 'startup')).to.include({ value: 'x' })
    const { stderr } = await perdure(['db', 'get', '/'], { cwd: directory.join('a') })
    expect(stderr.replace(/\s+(›\s+)?/g, '')).to.include(`${folder}/bank.perdure`)
  })

  it('takes an empty variable for none', async () => {
    writeFileSync(directory.join('perdure.config.json'), '{ "port": 4, "readonly": true, "file": "a" }')
    const env = { PERDURE_PORT: '', PERDURE_READONLY: '', PERDURE_FILE: '', PERDURE_CONFIG: '' }
    const result = await shown({ env })
    expect(setting(result, 'port')).to.include({ value: 4 })
    expect(setting(result, 'readonly')).to.include({ value: true })
    expect(setting(result, 'file')?.source).to.include('perdure.config.json')
  })
})

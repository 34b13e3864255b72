import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open } from '../../src/index.js'
import { type CommandResult, perdure } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const EXAMPLE = join(PACKAGE, 'plugins', 'example')

describe('perdure with a plugin', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** With plugins of its own, not the user's. */
  async function run(...args: string[]): Promise<CommandResult> {
    const home = directory.join('home')
    const env = { XDG_DATA_HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home }
    return perdure(args, { cwd: directory.path, env })
  }

  async function succeed(...args: string[]): Promise<string> {
    const { stdout, stderr, code } = await run(...args)
    expect(code, stderr).to.equal(0)
    return stdout
  }

  it('has its command, serializer and storage once it is linked, and no longer when it is removed', async () => {
    expect(await succeed('adapters', '--json')).to.not.include('jsonl')
    await succeed('plugins', 'link', EXAMPLE, '--no-install')
    const adapters = JSON.parse(await succeed('adapters', '--json'))
    expect(adapters.serializers).to.deep.include({ name: 'v8', from: 'perdure-plugin-example' })
    expect(adapters.serializers).to.deep.include({ name: 'cbor', from: 'perdure' })
    expect(adapters.storages).to.deep.include({ name: 'jsonl', from: 'perdure-plugin-example' })
    expect(adapters.plugins).to.deep.include({ name: 'perdure-plugin-example', version: '0.1.0', from: 'linked' })

    await using db = await open(directory.join('a.perdure'))
    await db.close()
    expect(await succeed('greet', 'a.perdure')).to.equal('Hello! a.perdure holds 1 objects.\n')

    await succeed('plugins', 'unlink', 'perdure-plugin-example')
    expect(await succeed('adapters', '--json')).to.not.include('jsonl')
    expect((await run('greet', 'a.perdure')).code).to.not.equal(0)
  })

  it('opens databases of the storage and the serializer that the plugin brings, in worker threads too', async () => {
    await succeed('plugins', 'link', EXAMPLE, '--no-install')
    const { code, stderr } = await runProgram(
      `import ${JSON.stringify(join(EXAMPLE, 'dist/src/register.js'))}
       import { open } from ${JSON.stringify(join(PACKAGE, 'dist/src/index.js'))}
       for (const [path, storage] of [['a.jsonl', 'jsonl'], ['a.perdure', 'file']]) {
         const db = await open(path, { storage, serializer: 'v8' })
         await db.transact((root) => { root.set('when', new Date(5)) })
         await db.close()
       }`,
    )
    expect(code, stderr).to.equal(0)
    for (const path of ['a.jsonl', 'a.perdure']) {
      expect(await succeed('db', 'client', path, '--eval', "root.get('when').getTime()")).to.equal('5\n')
    }
    // Its states are decoded by the threads of the pool.
    expect(JSON.parse(await succeed('db', 'verify', 'a.perdure', '--json'))).to.include({ objects: 1, problemCount: 0 })
  })

  it('warns of a plugin that is broken, and works without it', async () => {
    const broken = directory.join('broken')
    mkdirSync(broken)
    writeFileSync(
      join(broken, 'package.json'),
      JSON.stringify({
        name: 'broken',
        version: '1.0.0',
        type: 'module',
        oclif: { hooks: { 'perdure:register': './hook.js' } },
      }),
    )
    writeFileSync(join(broken, 'hook.js'), "export default () => ({ modules: ['file:///nowhere/register.js'] })\n")
    await succeed('plugins', 'link', broken, '--no-install')
    const { stdout, stderr, code } = await run('adapters')
    expect(code).to.equal(0)
    expect(stdout).to.include('msgpack')
    expect(stderr.replace(/\s+(›\s+)?/g, ' ')).to.include('The plugin broken cannot register')
  })

  /** The exit code and the errors of a program. */
  function runProgram(code: string): Promise<{ code: number | null; stderr: string }> {
    const path = directory.join('program.mjs')
    writeFileSync(path, code)
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [path], { cwd: directory.path }, (_error, _stdout, stderr) => {
        resolve({ code: child.exitCode, stderr })
      })
    })
  }
})

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { BTree, open, Persistent, PersistentList } from '../../src/index.js'
import { type CommandResult, perdure } from '../support/command-line.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

class Account extends Persistent {
  static className = 'db-files-test.Account'
  owner = 'Ada'
  tags = ['gold']
  born = new Date(0)
  id = 2n ** 70n
}

describe('perdure on a database file', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('bank.perdure')
    await using db = await open(path, { classes: [Account] })
    await db.transact((root) => {
      root.set('ada', new Account())
      root.set('list', new PersistentList(['zero', 'one']))
    })
    await db.transact((root) => {
      root.set('tree', new BTree(Array.from({ length: 30 }, (_, i) => [i, `value ${i}`])))
    })
  })

  afterEach(() => directory.remove())

  function run(...args: string[]): Promise<CommandResult> {
    return perdure(args, { cwd: directory.path })
  }

  async function json(...args: string[]): Promise<unknown> {
    const { stdout, stderr, code } = await run(...args, '--json')
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout)
  }

  describe('get and ls', () => {
    it('show values of all kinds, also such as contain themselves', async () => {
      {
        await using db = await open(path)
        await db.transact((root) => {
          const cycle: { self?: unknown; list: unknown[] } = { list: [{}] }
          cycle.self = cycle
          cycle.list.push(cycle.list, [])
          const values = { cycle, pattern: /x/g, bytes: new ArrayBuffer(2), none: new Map(), map: new Map([[0, 'a']]) }
          for (const [key, value] of Object.entries(values)) root.set(key, value)
          root.set('empty', new PersistentList())
        })
      }
      const flags = ['--file', 'bank.perdure']
      expect((await run('db', 'get', '/cycle', ...flags)).code).to.equal(0)
      expect(await json('db', 'get', '/cycle', ...flags)).to.deep.equal({
        value: { list: [{}, '[Circular]', []], self: '[Circular]' },
      })
      expect((await run('db', 'ls', ...flags)).code).to.equal(0)
      expect(await json('db', 'get', '/', ...flags))
        .to.have.property('value')
        .that.deep.includes({
          class: 'PersistentMap',
          oid: 0,
        })
      const { value } = (await json('db', 'get', '/', ...flags)) as { value: { value: Record<string, unknown> } }
      expect(value.value).to.deep.include({ pattern: '/x/g', bytes: 'AAA=', none: {}, map: [[0, 'a']] })
      expect(await json('db', 'get', '/empty', ...flags))
        .to.have.nested.property('value.value')
        .that.deep.equals([])
    })

    it('send nothing to the terminal that controls it', async () => {
      {
        await using db = await open(path)
        const remarks = { note: 'a \x1b[31mred note\nof two lines', user: '\x9b2J' }
        await db.transact((root) => void root.set('key\x1b[2J', 'value\x07'), remarks)
      }
      for (const command of ['ls', 'history']) {
        const { stdout } = await run('db', command, '--file', 'bank.perdure')
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        expect(stdout).to.not.match(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
        expect(stdout).to.include('\\x1b[')
      }
    })
  })

  describe('ls', () => {
    it('lists what an object holds, persistent objects by class and oid', async () => {
      const { stdout, code } = await run('db', 'ls', '--file', 'bank.perdure')
      expect(code).to.equal(0)
      expect(stdout).to.equal('key   value\nada   db-files-test.Account #1\nlist  PersistentList #2\ntree  BTree #3\n')
      expect((await run('db', 'ls', '/ada', '-f', 'bank.perdure')).stdout).to.match(/^owner {2}Ada$/m)
      expect(await json('db', 'ls', '/list', '-f', 'bank.perdure')).to.deep.equal({
        entries: [
          { key: 0, value: 'zero' },
          { key: 1, value: 'one' },
        ],
        more: false,
      })
    })

    it('stops where it is told', async () => {
      const { stdout } = await run('db', 'ls', '/tree', '-f', 'bank.perdure', '--limit', '2')
      expect(stdout).to.equal('key  value\n0    value 0\n1    value 1\n... and more; see --limit\n')
      expect(await json('db', 'ls', '/tree', '-f', 'bank.perdure', '--limit', '30')).to.have.property('more', false)
    })
  })

  describe('get', () => {
    it('shows the value at a path', async () => {
      expect((await run('db', 'get', '/ada/owner', '-f', path)).stdout).to.equal('Ada\n')
      expect((await run('db', 'get', '/tree/7', '-f', path)).stdout).to.equal('value 7\n')
      expect(await json('db', 'get', '/ada', '-f', path)).to.deep.equal({
        value: {
          class: 'db-files-test.Account',
          oid: 1,
          value: { owner: 'Ada', tags: ['gold'], born: '1970-01-01T00:00:00.000Z', id: String(2n ** 70n) },
        },
      })
    })

    it('says where a path ends', async () => {
      const { stderr, stdout, code } = await run('db', 'get', '/ada/nothing', '-f', path)
      expect({ stdout, code }).to.deep.equal({ stdout: '', code: 3 })
      expect(stderr).to.include('There is no nothing in /ada')
      const asJson = await run('db', 'get', '/ada/nothing', '-f', path, '--json')
      expect(asJson.code).to.equal(3)
      expect(JSON.parse(asJson.stdout)).to.have.nested.property('error.code', 'PERDURE_NOT_FOUND')
    })
  })

  describe('verify and repair', () => {
    it('find nothing wrong with a sound file', async () => {
      expect(await json('db', 'verify', path)).to.include({ problemCount: 0 })
      const { stdout, code } = await run('db', 'repair', path)
      expect(code).to.equal(0)
      expect(stdout).to.include('bank.perdure is sound.')
      expect(existsSync(`${path}.repaired`)).to.equal(true)
    })

    it('find damage, end with a code of its own, and save the rest', async () => {
      const bytes = readFileSync(path)
      const at = bytes.indexOf('gold')
      bytes.write('lead', at)
      writeFileSync(path, bytes)
      const verified = await run('db', 'verify', path)
      expect(verified.code).to.equal(5)
      expect(verified.stdout).to.match(/[1-9]\d* problems?/)
      const repaired = (await json('db', 'repair', path, '--to', directory.join('good.perdure'))) as {
        lostCount: number
      }
      expect(repaired).to.include({ damaged: true, lostCount: 1 })
      expect(readFileSync(path).equals(bytes)).to.equal(true)
      expect((await run('db', 'get', '/tree/7', '-f', 'good.perdure')).stdout).to.equal('value 7\n')
    })

    it('say what is wrong with the command line', async () => {
      expect((await run('db', 'repair')).code).to.equal(2)
      expect((await run('db', 'repair', 'perdure://127.0.0.1')).stderr).to.include('This works on a file')
      expect((await run('db', 'verify', 'missing.perdure')).code).to.equal(3)
      expect((await run('db', 'verify', '--fiel', path)).code).to.equal(2)
    })
  })
})

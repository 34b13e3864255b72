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

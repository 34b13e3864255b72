import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { open, Persistent } from '../../src/index.js'
import { type CommandResult, perdure } from '../support/command-line.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

class Account extends Persistent {
  static className = 'inspection-test.Account'
  balance = 1
  text = 'x'.repeat(500)
}

describe('perdure on the history and the space of a file', () => {
  let directory: TemporaryDirectory
  const file = ['--file', 'bank.perdure']

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    await using db = await open<Record<string, Account>>(directory.join('bank.perdure'), { classes: [Account] })
    await db.transact((root) => void root.set('ada', new Account()), { note: 'ada comes', user: 'clerk' })
    const earn = (ada: Account | undefined) => Object.assign(ada as Account, { balance: 2 })
    await db.transact((root) => void earn(root.get('ada')), { note: 'ada earns' })
  })

  afterEach(() => directory.remove())

  function run(...args: string[]): Promise<CommandResult> {
    return perdure(args, { cwd: directory.path })
  }

  async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const { stdout, stderr, code } = await run(...args, '--json')
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as T
  }

  it('history lists transactions, of all or of one object', async () => {
    const all = await json<{ transactions: { tid: number; note: string; user: string; oids: number[] }[] }>(
      'db',
      'history',
      ...file,
    )
    expect(all.transactions.map(({ tid, note }) => [tid, note])).to.deep.equal([
      [3, 'ada earns'],
      [2, 'ada comes'],
      [1, 'database created'],
    ])
    expect(all.transactions[1]).to.include({ user: 'clerk' })
    expect((await run('db', 'history', '1', ...file, '--oldest-first', '-n', '1')).stdout).to.match(
      /^ *2 .*ada comes$/m,
    )
    expect((await run('db', 'history', 'one', ...file)).code).to.equal(2)
  })

  it('show gives an object as it is, and as it was', async () => {
    expect(await json('db', 'show', '1', ...file)).to.have.nested.property('object.value.balance', 2)
    expect(await json('db', 'show', '1', '--at', '2', ...file)).to.have.nested.property('object.value.balance', 1)
    const before = await run('db', 'show', '1', '--at', '1', ...file)
    expect(before.code).to.equal(3)
    expect(before.stderr).to.include('There is no object 1 as of transaction 1')
  })

  it('undo takes a transaction back, unless something has changed since', async () => {
    const refused = await run('db', 'undo', '2', ...file)
    expect(refused.code).to.equal(6)
    expect(refused.stderr.replace(/\s+(›\s+)?/g, ' ')).to.include(
      'inspection-test.Account 1 (changed by transaction 3)',
    )
    expect(await json('db', 'undo', '3', ...file, '--note', 'not earned')).to.deep.equal({ tid: 4, undone: 3 })
    expect(await json('db', 'show', '1', ...file)).to.have.nested.property('object.value.balance', 1)
    expect((await run('db', 'history', ...file)).stdout).to.include('not earned')
  })

  it('census, largest and refs tell what takes space, and why', async () => {
    const { classes, unreachable } = await json<{ classes: object[]; unreachable: object }>(
      'db',
      'census',
      'bank.perdure',
      '--unreachable',
    )
    expect(classes).to.have.length(2)
    expect(classes[0]).to.include({ className: 'inspection-test.Account', objects: 1 })
    expect(unreachable).to.include({ objects: 0, bytes: 0 })
    expect(await json('db', 'largest', 'bank.perdure', '-n', '1')).to.have.nested.property('objects[0].oid', 1)
    expect(await json('db', 'refs', '1', ...file)).to.deep.equal({
      oid: 1,
      referrers: [{ oid: 0, className: 'PersistentMap' }],
    })
  })

  it('pack removes garbage and history, and keeps what it is told to', async () => {
    await using db = await open<Record<string, Account>>(directory.join('bank.perdure'), { classes: [Account] })
    await db.transact((root) => void root.delete('ada'))
    await db.close()
    const kept = await json('db', 'pack', 'bank.perdure', '--retain', '2t')
    expect(kept).to.include({ objectsAfter: 2 })
    const packed = await run('pack', 'bank.perdure', '--keep-old')
    expect(packed.stdout).to.match(/^Kept 1 object, removed 1\.\n/)
    expect(packed.stderr).to.include('switch: 100 %')
    expect(existsSync(directory.join('bank.perdure.prepack'))).to.equal(true)
    const gone = await run('db', 'show', '0', '--at', '2', ...file)
    expect(gone.code).to.equal(3)
    expect(gone.stderr).to.include('PERDURE_HISTORY')
    expect((await run('pack', 'bank.perdure', '--retain', 'always')).code).to.equal(2)
  })

  it('storage says what it is', async () => {
    const facts = await json('storage', 'bank.perdure')
    expect(facts).to.include({ kind: 'file', format: 1, serializer: 'msgpack', tid: 3, objects: 2, index: 'used' })
    expect(facts['capabilities']).to.include.members(['durable', 'history'])
  })
})

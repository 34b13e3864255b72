import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { BTree, open, Persistent, PersistentList } from '../../src/index.js'
import { perdure } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { PseudoTerminal } from '../support/pseudo-terminal.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

class Account extends Persistent {
  static className = 'client-test.Account'
  owner = ''
  balance = 0
  friend: Account | undefined
}

describe('perdure db client', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('bank.perdure')
    await using db = await open(path, { classes: [Account] })
    await db.transact((root) => {
      const ada = Object.assign(new Account(), { owner: 'Ada', balance: 3 })
      root.set('ada', ada)
      root.set('bob', Object.assign(new Account(), { owner: 'Bob', friend: ada }))
      root.set('list', new PersistentList([1, ada]))
      root.set('tree', new BTree().set('key', ada))
    })
  })

  afterEach(() => directory.remove())

  async function evaluated(code: string, ...args: string[]): Promise<string> {
    const { stdout, stderr, code: exit } = await perdure(['db', 'client', '--file', path, '--eval', code, ...args])
    expect(exit, stderr).to.equal(0)
    expect(stderr).to.equal('')
    return stdout.trimEnd()
  }

  it('shows objects by class and oid, loads nothing but what is looked at, and knows classes that are not there', async () => {
    expect(await evaluated('root')).to.equal(
      [
        'PersistentMap #0(4) {',
        "  'ada' => client-test.Account #1,",
        "  'bob' => client-test.Account #2,",
        "  'list' => PersistentList #3,",
        "  'tree' => BTree #4",
        '}',
      ].join('\n'),
    )
    expect(await evaluated('get(2)')).to.match(
      /^client-test\.Account #2 \{.*owner: 'Bob'.*friend: client-test\.Account #1 \}$/s,
    )
    expect(await evaluated("root.get('ada'); connection.statistics.loads")).to.equal('1')
  })

  it('runs code with await, and shows the value of its last expression', async () => {
    expect(await evaluated("const ada = root.get('ada'); await Promise.resolve(); ada.balance * 2")).to.equal('6')
    expect(await evaluated("'as it is'")).to.equal('as it is')
    expect(await evaluated('let x = 1')).to.equal('')
    expect(await evaluated('isPersistent(root) && new PersistentMap([[1, 2]])')).to.equal(
      'PersistentMap (new)(1) { 1 => 2 }',
    )
  })

  it('changes nothing unless told to', async () => {
    const before = readFileSync(path)
    expect(await evaluated("root.set('new', 1); root.get('new')")).to.equal('1')
    expect(readFileSync(path).equals(before)).to.equal(true)
    expect(await evaluated("root.set('new', 1); await commit({ note: 'by hand' })")).to.equal('3')
    expect(await evaluated("root.get('new')")).to.equal('1')
    const readonly = await perdure(['db', 'client', path, '--readonly', '--eval', "root.set('new', 2)"])
    expect(readonly).to.include({ code: 8, stdout: '' })
    expect(readonly.stderr).to.include('PERDURE_READONLY')
  })

  it('runs what comes through a pipe', async () => {
    const result = await perdure(['db', 'client', path], { input: "root.set('n', 4)\nawait commit()\nroot.get('n')\n" })
    expect(result).to.deep.equal({ stdout: '4\n', stderr: '', code: 0 })
    const failed = await perdure(['db', 'client', path], { input: 'root.get("n")\nnobody.knows' })
    expect(failed).to.include({ stdout: '', code: 1 })
    expect(failed.stderr).to.include('nobody is not defined')
  })

  it('registers the classes of a module, and runs a startup module first', async () => {
    const classes = directory.join('classes.mjs')
    const from = JSON.stringify(join(PACKAGE, 'dist/src/index.js'))
    writeFileSync(
      classes,
      `import { Persistent } from ${from}
       export class Account extends Persistent {
         static className = 'client-test.Account'
         describe() { return this.owner + ' has ' + this.balance }
       }`,
    )
    const startup = directory.join('startup.mjs')
    writeFileSync(startup, "export const ada = root.get('ada')\n")
    expect(await evaluated('ada.describe()', '--classes', classes, '--startup', startup)).to.equal('Ada has 3')
    expect(await evaluated('ada instanceof Account', '--classes', classes, '--startup', startup)).to.equal('true')
    const missing = await perdure(['db', 'client', path, '--classes', './nowhere.mjs', '--eval', '1'])
    expect(missing.code).to.equal(3)
    expect(missing.stderr).to.include('nowhere.mjs cannot be imported')
  })

  it('creates nothing', async () => {
    const missing = directory.join('missing.perdure')
    const { code, stderr } = await perdure(['db', 'client', '--file', missing, '--eval', '1'])
    expect(code).to.equal(3)
    expect(stderr).to.include('PERDURE_NOT_FOUND')
    expect(existsSync(missing)).to.equal(false)
  })

  it('is a prompt with completion of keys and a history on a terminal', async () => {
    const history = directory.join('history')
    const env = { ...process.env, PERDURE_HISTORY: history, TERM: 'xterm', NO_COLOR: '1' }
    const command = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}' db client --file bank.perdure`
    const terminal = new PseudoTerminal(command, { cwd: directory.path, env })
    try {
      await terminal.see('perdure> ')
      terminal.type("root.get('bo")
      // First in grey, as what could be meant, then for good.
      await terminal.see("b'")
      terminal.type('\t')
      await terminal.see("b'")
      terminal.type(').owner\r')
      await terminal.see("'Bob'\n")
      terminal.type('const n = await Promise.resolve(41)\r')
      await terminal.see('perdure> ')
      terminal.type('n + 1\r')
      await terminal.see('42\n')
      terminal.type('.exit\r')
      expect(await terminal.ended()).to.equal(0)
    } finally {
      terminal.kill()
    }
    expect(readFileSync(history, 'utf8')).to.include("root.get('bob').owner")
    expect(statSync(history).mode & 0o777).to.equal(0o600)
  })

  it('gives up at Ctrl-C what is running, and stays', async () => {
    const env = { ...process.env, PERDURE_HISTORY: '', TERM: 'xterm', NO_COLOR: '1' }
    const command = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}' db client --file bank.perdure`
    const terminal = new PseudoTerminal(command, { cwd: directory.path, env })
    try {
      await terminal.see('perdure> ')
      for (const endless of ['await new Promise(() => {})', 'for (;;) {}']) {
        terminal.type(`console.log('be' + 'gun'); ${endless}\r`)
        await terminal.see('begun\n')
        terminal.type('\x03')
        await terminal.see('interrupted by')
        await terminal.see('perdure> ')
      }
      terminal.type('40 + 2\r')
      await terminal.see('\n42\n')
    } finally {
      terminal.kill()
    }
  })

  it('has colours on a terminal that has them, unless NO_COLOR says otherwise', () => {
    const command = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}' db client bank.perdure --eval "[1]"`
    const shown = (env: Record<string, string>) => {
      // Nothing of what Node takes for a sign that there are colours, or none, CI for one.
      const { PATH, HOME } = process.env
      const options = { cwd: directory.path, env: { PATH, HOME, ...env }, encoding: 'utf8' } as const
      return spawnSync('script', ['--quiet', '--return', '--command', command, '/dev/null'], options).stdout
    }
    expect(shown({ TERM: 'xterm' })).to.include('\x1b[')
    expect(shown({ TERM: 'xterm', NO_COLOR: '1' })).to.equal('[ 1 ]\r\n')
    expect(shown({ TERM: 'dumb' })).to.equal('[ 1 ]\r\n')
  })
})

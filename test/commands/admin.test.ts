import { join } from 'node:path'
import { expect } from 'chai'
import { open, PersistentList } from '../../src/index.js'
import { perdure } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { PseudoTerminal } from '../support/pseudo-terminal.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('perdure admin', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    await using db = await open(path)
    await db.transact((root) => void root.set('list', new PersistentList(['kept'])))
    await db.transact((root) => void root.set('garbage', new PersistentList(['x'.repeat(100)])))
    await db.transact((root) => void root.delete('garbage'), { note: 'a mistake' })
  })

  afterEach(() => directory.remove())

  async function evaluated(code: string): Promise<unknown> {
    const { stdout, stderr, code: exit } = await perdure(['admin', path, '--eval', `JSON.stringify(${code})`])
    expect(exit, stderr).to.equal(0)
    return JSON.parse(stdout)
  }

  it('has helpers at hand, which do not ask where there is no terminal', async () => {
    const seen = (await evaluated(`{
      census: (await census()).map(({ className, objects }) => [className, objects]),
      referrers: await referrers(1),
      largest: (await largest(1))[0].oid,
      unreachable: (await unreachable()).objects,
      notes: (await history({}, 2)).map(({ note }) => note),
      commits: statistics().tid,
      oldest: (await history({ newestFirst: false }, 1))[0].tid,
      undone: await undo(4),
      packed: (await pack()).objectsAfter,
    }`)) as Record<string, unknown>
    expect(seen['census']).to.deep.include(['PersistentMap', 1])
    expect(seen['referrers']).to.deep.include.members([{ ...(seen['referrers'] as object[])[0], oid: 0 }])
    expect(seen).to.deep.include({ largest: 2, unreachable: 1, notes: ['a mistake', ''], commits: 4, oldest: 1 })
    expect(seen).to.include({ undone: 5, packed: 3 })
  })

  it('asks on a terminal before it takes back or packs, and does nothing unless the answer is yes', async () => {
    const settings = Object.entries(process.env).filter(([name]) => !name.startsWith('PERDURE_'))
    const env = { ...Object.fromEntries(settings), PERDURE_HISTORY: '', TERM: 'xterm', NO_COLOR: '1' }
    const command = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}' admin --file a.perdure`
    const terminal = new PseudoTerminal(command, { cwd: directory.path, env })
    try {
      await terminal.see('perdure> ')
      terminal.type('await pack()\r')
      await terminal.see(/Remove 1 object \(.*\) and all history from .*a\.perdure\? Type yes to go on: /)
      terminal.type('y\r')
      await terminal.see('Nothing has been done')
      await terminal.see('perdure> ')
      terminal.type('await undo(4)\r')
      await terminal.see(/Take back transaction 4 of .*a\.perdure\? Type yes to go on: /)
      terminal.type('yes\r')
      await terminal.see('\n5\n')
      await terminal.see('perdure> ')
      terminal.type("abort(); root.has('garbage')\r")
      await terminal.see('\ntrue\n')
      terminal.type('.exit\r')
      // Something that was typed has failed.
      expect(await terminal.ended()).to.equal(1)
    } finally {
      terminal.kill()
    }
    await using db = await open(path)
    expect(db.statistics).to.include({ tid: 5, packs: 0 })
  })
})

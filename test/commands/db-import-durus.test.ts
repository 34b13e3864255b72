import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { EXIT } from '../../src/cli/exit-codes.js'
import { perdure, withoutSettings } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { shelfFile } from '../support/durus-files.js'
import { durusFixture } from '../support/durus-fixtures.js'
import { DurusGraph } from '../support/durus-graph.js'
import { int, pickleClass } from '../support/pickle-writer.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('perdure db import-durus', () => {
  let directory: TemporaryDirectory
  let target: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    target = directory.join('new.perdure')
  })

  afterEach(() => directory.remove())

  it('makes a database and reports what it has done', async () => {
    const { stdout, stderr, code } = await perdure(['db', 'import-durus', durusFixture('shelf-torn-tail'), target])
    expect(code, stderr).to.equal(0)
    expect(stdout).to.match(/^.*new\.perdure: 348 objects, .* from a SHELF-1 file\.\n/)
    expect(stdout).to.include('ends with 474 bytes of a transaction that was never completed')
    expect(stdout).to.match(/^fixture_model\.Account +Account +320$/m)
    expect(stdout).to.match(/^durus\.btree\.BNode16 +BTreeNode +19$/m)
    expect(stdout).to.include(
      'tuple: 1\n  durus.persistent_dict.PersistentDict 0, .data.nested.a: a tuple of 3 -> an array\n',
    )
    expect(stderr).to.include('map: 100 %')
    const account = await perdure(['db', 'get', '/accounts/acct0049/balance', '--file', target])
    expect(account.stdout).to.equal('491\n')
    expect((await perdure(['db', 'verify', target])).code).to.equal(0)
  })

  it('reports in JSON, and maps as a module says', async () => {
    const module = directory.join('mapping.mjs')
    writeFileSync(
      module,
      `export default {
        'fixture_model.Account': { class: 'Konto', convert: ({ owner, balance }) => ({ inhaber: owner, stand: balance }) },
      }`,
    )
    const args = [
      'db',
      'import-durus',
      durusFixture('sqlite'),
      target,
      '--map',
      module,
      '--serializer',
      'cbor',
      '--json',
    ]
    const { stdout, stderr, code } = await perdure(args)
    expect(code, stderr).to.equal(0)
    const report = JSON.parse(stdout)
    expect(report).to.deep.include({ target, format: 'sqlite', unreachable: 21, tornBytes: 0 })
    expect(report.classes[0]).to.deep.equal({ pythonName: 'fixture_model.Account', className: 'Konto', objects: 300 })
    expect(report.changes).to.have.nested.property('[0].examples[0].path', '.data.nested.a')
    const account = await perdure(['db', 'get', '/accounts/acct0049', '--file', target])
    expect(account.stdout).to.match(/^Konto #\d+ \{ inhaber: 'owner49', stand: 491 \}\n$/)
  })

  it('keeps the pickles for old clients', async () => {
    const { stdout, code } = await perdure(['db', 'import-durus', durusFixture('dfs20'), target, '--raw'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^.*new\.perdure: 346 objects, .* from a DFS20 file\.\n/)
  })

  it('refuses what cannot be done, and leaves nothing behind', async () => {
    const graph = new DurusGraph()
    graph.root(['bad', graph.set(1, int(5), null)])
    writeFileSync(directory.join('bad.durus'), shelfFile([], [graph.objects()]).bytes)
    writeFileSync(directory.join('nothing.mjs'), 'export const x = 1')
    const before = readdirSync(directory.path)
    const refused = async (...args: string[]) => {
      const { stdout, code } = await perdure(['db', 'import-durus', ...args, '--json'])
      expect(readdirSync(directory.path)).to.deep.equal(before)
      return { code, error: JSON.parse(stdout).error }
    }
    const bad = await refused(directory.join('bad.durus'), target)
    expect(bad.error).to.have.nested.property('details.oid', 1)
    expect(bad.error.code).to.equal('PERDURE_DECODE')
    const shelf = durusFixture('shelf')
    expect((await refused(shelf, directory.join('bad.durus'))).error.code).to.equal('PERDURE_ARGUMENT')
    expect((await refused(shelf, target, '--map', directory.join('nothing.mjs'))).error.code).to.equal(
      'PERDURE_ARGUMENT',
    )
    expect((await refused(shelf, target, '--map', directory.join('none.mjs'))).code).to.equal(EXIT.notFound)
    expect((await refused(directory.join('none.durus'), target)).code).to.equal(EXIT.notFound)
  })

  it('gives up at Ctrl-C, and leaves nothing behind', async () => {
    const graph = new DurusGraph()
    const thing = pickleClass('a', 'Thing')
    graph.root(['list', { list: Array.from({ length: 20_000 }, (_, i) => graph.set(i + 1, thing, { dict: [] })) }])
    const source = directory.join('large.durus')
    writeFileSync(source, shelfFile([], [graph.objects()]).bytes)
    const env = { ...withoutSettings(process.env), NO_COLOR: '1' }
    const child = spawn(process.execPath, [join(PACKAGE, 'bin/perdure.js'), 'db', 'import-durus', source, target], {
      env,
    })
    await once(child.stderr, 'data')
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect(code).to.equal(EXIT.interrupted)
    expect(existsSync(target)).to.equal(false)
    expect(readdirSync(directory.path)).to.deep.equal(['large.durus'])
  })
})

import { expect } from 'chai'
import { open } from '../../src/open.js'
import { perdure } from '../support/command-line.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('perdure with an SQLite database', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('bank.sqlite')
    await using db = await open<{ ada: string }>(path, { storage: 'sqlite' })
    await db.transact((root) => void root.set('ada', 'first'))
    await db.transact((root) => void root.set('ada', 'second'))
  })

  afterEach(() => directory.remove())

  async function json(...args: string[]): Promise<Record<string, unknown>> {
    const { stdout, stderr, code } = await perdure([...args, '--json'])
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout)
  }

  it('says what it is, reads it, verifies it and undoes in it', async () => {
    expect(await json('storage', path)).to.include({ kind: 'sqlite', serializer: 'msgpack', format: 1 })
    expect((await perdure(['db', 'get', '/ada', '-f', path])).stdout).to.equal('second\n')
    expect(await json('db', 'verify', path)).to.include({ problemCount: 0 })
    const { stdout } = await perdure(['db', 'history', '-f', path])
    expect(stdout).to.match(/\b3\b/)
    expect((await perdure(['db', 'undo', '3', '-f', path])).code).to.equal(0)
    expect((await perdure(['db', 'get', '/ada', '-f', path])).stdout).to.equal('first\n')
  })

  it('packs it, and refuses what works on other files alone', async () => {
    expect(await json('pack', path)).to.include({ objectsBefore: 1, objectsAfter: 1 })
    const { stderr, code } = await perdure(['db', 'repair', path])
    expect(code).to.not.equal(0)
    expect(stderr.replace(/\s+/g, ' ')).to.include('is of the kind sqlite')
  })
})

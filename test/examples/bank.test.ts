import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runExample } from '../support/run-example.js'

describe('the example bank', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'perdure-bank-'))
  })

  afterEach(() => rm(folder, { recursive: true }))

  it('keeps all the money, and cleans up', async () => {
    const { code, stdout, stderr } = await runExample('bank', [], folder)
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    expect(stdout).to.contain('8 clerks made 200 transfers')
    const balances = [...stdout.matchAll(/^ {2}[A-Z]\w+ +(\d+) after/gm)].map(([, balance]) => Number(balance))
    expect(balances).to.have.length(6)
    expect(balances.reduce((sum, balance) => sum + balance, 0)).to.equal(600)
    expect(stdout).to.contain('Opened again, they hold 600 together')
    expect(await readdir(folder)).to.deep.equal([])
  })
})

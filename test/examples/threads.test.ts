import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runExample } from '../support/run-example.js'

describe('the example threads', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'perdure-threads-'))
  })

  afterEach(() => rm(folder, { recursive: true }))

  it('counts in several threads without losing an increment, and cleans up', async () => {
    const { code, stdout, stderr } = await runExample('threads', [], folder)
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    for (const name of ['apples', 'pears', 'plums', 'quinces'])
      expect(stdout).to.match(new RegExp(`^  ${name} +75$`, 'm'))
    expect(stdout).to.contain('Together 300: not one increment was lost.')
    expect(await readdir(folder)).to.deep.equal([])
  })
})

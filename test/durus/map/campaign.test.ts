import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { runSeed } from '../../../src/testing/random.js'
import { durusFixture } from '../../support/durus-fixtures.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'
import { fuzzFiles, fuzzImports, fuzzObjects } from './campaign.js'

const OBJECTS = 20_000
const FILES = 100
const IMPORTS = 15

describe('Mapping, given hostile bytes', function () {
  this.timeout(120_000)
  const seed = runSeed()
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it(`maps objects or names what is wrong with them (PERDURE_SEED=${seed})`, async () => {
    await fuzzObjects(OBJECTS / 10, seed)
    global.gc?.()
    const before = process.memoryUsage().heapUsed
    const { accepted, refused } = await fuzzObjects(OBJECTS, seed)
    expect(accepted + refused).to.equal(OBJECTS)
    expect(accepted).to.be.above(OBJECTS / 20)
    expect(refused).to.be.above(OBJECTS / 20)
    global.gc?.()
    expect(process.memoryUsage().heapUsed - before).to.be.below(32 * 1024 * 1024)
    expect(Object.keys(Object.prototype)).to.deep.equal([])
  })

  for (const name of ['shelf', 'dfs20', 'sqlite'] as const) {
    it(`maps ${name} files or names what is wrong with them (PERDURE_SEED=${seed})`, async () => {
      const bytes = readFileSync(durusFixture(name))
      const { accepted, refused } = await fuzzFiles(FILES, seed, bytes, directory.join('mutated.durus'))
      expect(accepted + refused).to.equal(FILES)
      expect(refused).to.be.above(0)
    })

    it(`imports ${name} files or leaves nothing behind (PERDURE_SEED=${seed})`, async () => {
      const bytes = readFileSync(durusFixture(name))
      const { accepted, refused } = await fuzzImports(IMPORTS, seed, bytes, directory.path)
      expect(accepted + refused).to.equal(IMPORTS)
    })
  }
})

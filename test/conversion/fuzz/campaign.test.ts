import { expect } from 'chai'
import { runSeed } from '../../../src/testing/random.js'
import { type FuzzCounts, fuzzFiles, fuzzLines, fuzzRecords } from './campaign.js'

describe('what makes no sense', () => {
  const seed = runSeed()

  for (const [what, inputs, run] of [
    ['database files', 3000, (count: number) => fuzzFiles('file', count, seed)],
    ['SQLite files', 1000, (count: number) => fuzzFiles('sqlite', count, seed)],
    ['records', 3000, (count: number) => fuzzRecords(count, seed)],
    ['exports', 3000, (count: number) => fuzzLines(count, seed)],
  ] as [string, number, (count: number) => Promise<FuzzCounts>][]) {
    it(`is refused, or converted as it is read: ${what} (PERDURE_SEED=${seed})`, async function () {
      this.timeout(180_000)
      const { accepted, refused } = await run(inputs)
      expect(accepted + refused).to.equal(inputs)
      expect(accepted).to.be.above(0)
      expect(refused).to.be.above(inputs / 20)
    })
  }
})

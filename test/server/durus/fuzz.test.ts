import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { Random, runSeed } from '../../../src/testing/random.js'
import { fuzzProtocol1 } from './fuzz.js'

const INPUTS = 4000

describe('Protocol 1 under fuzz', () => {
  it('survives hostile clients, throws them out for good reasons, and keeps nothing of them', async function () {
    this.timeout(60_000)
    const seed = runSeed()
    try {
      const { sessions, commits, blames } = await fuzzProtocol1(new Random(seed), INPUTS)
      expect(commits).to.be.greaterThan(INPUTS / 20)
      expect(blames).to.be.greaterThan(INPUTS / 10)
      await nextTurn()
      global.gc?.()
      // The last ones may still be on the stack of what has just been awaited.
      expect(sessions.slice(0, -10).filter((each) => each.deref() !== undefined)).to.have.lengthOf(0)
    } catch (error) {
      if (error instanceof Error) error.message += ` (to repeat, set PERDURE_SEED=${seed})`
      throw error
    }
  })
})

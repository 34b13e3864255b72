import { expect } from 'chai'
import { describeCounts, Explorer } from './explorer.js'

const STATES = 20_000
const SEED = 1

describe('After a power cut', () => {
  it('every acknowledged commit is there, and every other one wholly or not at all', async function () {
    this.timeout(600_000)
    const explorer = new Explorer({ seed: SEED, states: STATES })
    const finding = await explorer.run()
    console.log(`      seed ${SEED}: ${describeCounts(explorer.counts)}`)
    expect(finding, JSON.stringify(finding, undefined, 2)).to.equal(undefined)
    const { secondStates, tornTails, unacknowledged, checkpoints, packs } = explorer.counts
    expect(packs).to.be.greaterThan(10)
    expect(checkpoints.foreign, 'a journal that is new, beside the checkpoint of the old one').to.be.greaterThan(100)
    // Otherwise the workload would not reach what is to be proved.
    for (const count of [secondStates, tornTails, unacknowledged, checkpoints.used, checkpoints.missing]) {
      expect(count).to.be.greaterThan(STATES / 50)
    }
  })
})

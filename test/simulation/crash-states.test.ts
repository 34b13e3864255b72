import { expect } from 'chai'
import { Explorer } from './explorer.js'

const STATES = 20_000
const SEED = 1

describe('After a power cut', () => {
  it('every acknowledged commit is there, and every other one wholly or not at all', function () {
    this.timeout(600_000)
    const explorer = new Explorer({ seed: SEED, states: STATES })
    const finding = explorer.run()
    const { states, firstStates, secondStates, crashPoints, workloads } = explorer.counts
    console.log(
      `      seed ${SEED}: ${states} states (${firstStates} after one power cut, ${secondStates} after two) at ${crashPoints} points of ${workloads} workloads`,
    )
    expect(finding, JSON.stringify(finding, undefined, 2)).to.equal(undefined)
    expect(secondStates).to.be.greaterThan(STATES / 10)
  })
})

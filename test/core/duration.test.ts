import { expect } from 'chai'
import { durationMs } from '../../src/core/duration.js'

describe('durationMs', () => {
  it('takes numbers of ms, and texts with a unit', () => {
    const given = [250, '250ms', '90s', '1.5h', '15 m', '7d']
    expect(given.map((value) => durationMs('x', value))).to.deep.equal([
      250, 250, 90_000, 5_400_000, 900_000, 604_800_000,
    ])
  })

  it('refuses everything else, and says what it is for', () => {
    for (const value of ['', '5', 'h', '1 year', '-1s', '0s', 0, -5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => durationMs('gcInterval', value), String(value))
        .to.throw(/^gcInterval must be a number of ms above 0/)
        .with.property('code', 'PERDURE_ARGUMENT')
    }
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { LatencyHistogram } from '../../src/server/latency-histogram.js'

describe('LatencyHistogram', () => {
  it('is 0 as long as nothing was measured', () => {
    expect(new LatencyHistogram().percentileMs(0.99)).to.equal(0)
  })

  it('is right to within a bucket', () => {
    const times = fc.array(fc.double({ min: 0.001, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(times, fc.constantFrom(0.01, 0.5, 0.99, 1), (times, share) => {
        const histogram = new LatencyHistogram()
        for (const ms of times) histogram.record(ms)
        const exact = times.sort((a, b) => a - b)[Math.ceil(times.length * share) - 1] as number
        expect(histogram.percentileMs(share)).to.be.within(exact, exact * 1.1)
        expect(histogram.count).to.equal(times.length)
      }),
    )
  })

  it('takes times that are none, and endless ones', () => {
    const histogram = new LatencyHistogram()
    histogram.record(0)
    expect(histogram.percentileMs(1)).to.be.below(0.002)
    histogram.record(1e12)
    expect(histogram.percentileMs(1)).to.be.above(1e6)
  })
})

import { expect } from 'chai'
import { OidAllowance } from '../../src/server/oid-allowance.js'
import { write } from '../../src/testing/suite-context.js'
import { failure } from '../support/errors.js'

const MIB = 1_048_576

describe('OidAllowance', () => {
  let nowMs: number
  let next: number
  let allowance: OidAllowance

  beforeEach(() => {
    nowMs = 5_000
    next = 100
    allowance = new OidAllowance(() => nowMs)
  })

  function reserve(count: number): number {
    next += count
    return next - count
  }

  const take = (count: number) => allowance.take(count, reserve)
  const isRefused = (count: number) => failure('PERDURE_LIMIT', () => take(count))

  it('gives what was reserved, up to a limit, beyond which nothing is', async () => {
    for (let i = 0; i < 4; i++) expect(take(MIB)).to.equal(100 + i * MIB)
    expect((await isRefused(1)).details).to.deep.equal({ limit: 4 * MIB })
    expect(next).to.equal(100 + 4 * MIB)
  })

  it('gives no more than so many at once', async () => {
    await isRefused(MIB + 1)
    expect(next).to.equal(100)
  })

  it('does not count those that could not be reserved', () => {
    for (let i = 0; i < 10; i++) {
      const fails = () => {
        throw new Error('no room')
      }
      expect(() => allowance.take(MIB, fails)).to.throw('no room')
    }
    take(MIB)
  })

  it('gives more when some have been used', async () => {
    for (let i = 0; i < 4; i++) take(MIB)
    allowance.stored([write(100, 'a'), write(101, 'b'), write(100 + 3 * MIB, 'c')])
    // Objects that were there before are none of them.
    allowance.stored([write(0, 'root'), write(99, 'old')])
    await isRefused(4)
    take(3)
    await isRefused(1)
  })

  it('forgives some with time, but never gives more at once for having waited long', async () => {
    for (let i = 0; i < 4; i++) take(MIB)
    nowMs += 500
    await isRefused(1025)
    take(1024)
    await isRefused(1)
    nowMs += 1e9
    for (let i = 0; i < 4; i++) take(MIB)
    await isRefused(1)
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { ChangeRing } from '../../src/journal/change-ring.js'

describe('ChangeRing', () => {
  it('gives what a list of all changes gives, or nothing', () => {
    const transactions = fc.array(fc.array(fc.nat(50), { maxLength: 20_000, size: 'max' }), { maxLength: 12 })
    fc.assert(
      fc.property(transactions, fc.nat(5), fc.nat(20), fc.nat(20), (written, first, after, span) => {
        const ring = new ChangeRing()
        const reader = new ChangeRing(ring.memory)
        ring.forget(first)
        written.forEach((oids, i) => {
          ring.append(
            oids,
            oids.map(() => first + i + 1),
          )
        })
        const upTo = after + span
        const changed = reader.between(after, upTo)
        const expected = written.filter((_, i) => first + i + 1 > after && first + i + 1 <= upTo).flat()
        const remembered = written.flat().length <= 2 ** 16
        if (changed !== undefined) expect(new Set(changed)).to.deep.equal(new Set(after < first ? changed : expected))
        else expect(remembered && after >= first, 'remembered').to.equal(false)
      }),
      { numRuns: 50 },
    )
  })

  it('knows the last changes after any number of earlier ones', () => {
    const ring = new ChangeRing()
    ring.forget(0)
    const many = Array.from({ length: 100_000 }, (_, i) => i)
    ring.append(
      many,
      many.map(() => 1),
    )
    ring.append([7, 8], [2, 3])
    expect(ring.between(1, 3)).to.have.members([7, 8])
    expect(ring.between(2, 3)).to.deep.equal([8])
    expect(ring.between(0, 3)).to.equal(undefined)
    expect(ring.between(3, 3)).to.deep.equal([])
  })

  it('says nothing about what it was told to forget', () => {
    const ring = new ChangeRing()
    ring.forget(0)
    ring.append([1, 2, 3], [1, 2, 3])
    ring.forget(4)
    expect(ring.between(3, 4)).to.equal(undefined)
    expect(ring.between(2, 3)).to.equal(undefined)
    expect(ring.between(4, 4)).to.deep.equal([])
    ring.append([5], [5])
    expect(ring.between(4, 5)).to.deep.equal([5])
    expect(ring.between(3, 5)).to.equal(undefined)
  })
})

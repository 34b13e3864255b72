import { expect } from 'chai'
import { TurnLimit } from '../../src/server/turn-limit.js'

describe('TurnLimit', () => {
  it('is reached by the work of one turn, and not any more in the next one', async () => {
    const turns = new TurnLimit(-1)
    for (let i = 0; i < 3; i++) {
      expect(turns.isReached).to.equal(false)
      await Promise.resolve()
      expect(turns.isReached).to.equal(true)
      await turns.next()
    }
  })

  it('is the same for all who work', async () => {
    const turns = new TurnLimit(-1)
    const order: string[] = []
    const work = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        if (turns.isReached) await turns.next()
        order.push(name)
      }
    }
    const timer = setImmediate(() => order.push('others'))
    await Promise.all([work('a'), work('b')])
    clearImmediate(timer)
    expect(order.indexOf('others')).to.equal(1)
    expect(order.filter((name) => name !== 'others')).to.have.length(6)
  })
})

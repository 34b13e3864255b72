import { expect } from 'chai'
import { runSeed } from '../../../src/testing/random.js'
import { fuzzDecoders, fuzzSessions } from './campaign.js'

const FRAMES = 16_000
const CONVERSATIONS = 4000

describe('hostile bytes', () => {
  const seed = runSeed()

  it(`are refused as frames, or mean something (PERDURE_SEED=${seed})`, () => {
    const { accepted, refused } = fuzzDecoders(FRAMES, seed)
    expect(accepted + refused).to.equal(FRAMES)
    expect(accepted).to.be.above(FRAMES / 20)
    expect(refused).to.be.above(FRAMES / 20)
  })

  it(`harm neither the server nor other clients (PERDURE_SEED=${seed})`, async () => {
    const { accepted, refused } = await fuzzSessions(CONVERSATIONS, seed)
    expect(accepted + refused).to.equal(CONVERSATIONS)
    expect(accepted).to.be.above(CONVERSATIONS / 20)
    expect(refused).to.be.above(CONVERSATIONS / 20)
  })
})

import { expect } from 'chai'
import type { PackProgress } from '../../src/core/storage.js'
import { PackClock } from '../../src/workers/pack-clock.js'

describe('PackClock', () => {
  const at = (phase: PackProgress['phase'], bytes: number, bytesTotal: number) => {
    return { phase, objects: 0, objectsTotal: 0, bytes, bytesTotal }
  }

  /** So long that something can be estimated. */
  const aWhile = () => new Promise((resolve) => setTimeout(resolve, 60))

  it('knows nothing in the beginning, and that nothing is left at the end', async () => {
    const clock = new PackClock(1000, 0, 10)
    expect(clock.remainingMs(at('scan', 0, 1000))).to.equal(undefined)
    await aWhile()
    expect(clock.remainingMs(at('scan', 0, 1000))).to.equal(undefined)
    expect(clock.remainingMs(at('switch', 0, 0))).to.equal(0)
  })

  it('expects less when it turns out how little is to be copied, and nothing when all is done', async () => {
    const clock = new PackClock(1000, 0, 0)
    await aWhile()
    const scanned = clock.remainingMs(at('scan', 1000, 1000)) as number
    const copying = clock.remainingMs(at('copy', 10, 100)) as number
    expect(scanned).to.be.above(copying)
    expect(copying).to.be.above(0)
    expect(clock.remainingMs(at('copy', 100, 100))).to.equal(0)
  })
})

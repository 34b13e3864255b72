import { expect } from 'chai'
import fc from 'fast-check'
import { Input } from '../../../src/server/durus/input.js'
import { failure } from '../../support/errors.js'

/** Notes whether the peer has to wait. */
class Flow {
  isPaused = false
  pauses = 0

  pause(): void {
    this.isPaused = true
    this.pauses++
  }

  resume(): void {
    this.isPaused = false
  }
}

describe('The input of protocol 1', () => {
  it('gives the same bytes however they arrive', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.boolean(), async (chunks, reads, early) => {
        const total = reads.reduce((sum, size) => sum + size, 0)
        const bytes = Buffer.from(Array.from({ length: total }, (_, i) => (i * 31) % 251))
        const input = new Input(new Flow(), 60_000)
        const arrive = () => {
          let at = 0
          for (const size of chunks) {
            input.push(bytes.subarray(at, at + size))
            at += size
          }
          input.push(bytes.subarray(at))
        }
        if (early) arrive()
        else setImmediate(arrive)
        let at = 0
        for (const size of reads) {
          expect((await input.read(size)).equals(bytes.subarray(at, at + size))).to.equal(true)
          at += size
        }
        input.end(new Error('over'))
      }),
      { numRuns: 100 },
    )
  })

  it('puts many small chunks together', async () => {
    const input = new Input(new Flow(), 60_000)
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256))
    const first = input.read(1)
    for (let i = 0; i < 30_000; i++) input.push(bytes.subarray(i, i + 1))
    expect((await first)[0]).to.equal(bytes[0])
    const rest = input.read(bytes.length - 1)
    for (let i = 30_000; i < bytes.length; i += 7) input.push(bytes.subarray(i, i + 7))
    expect((await rest).equals(bytes.subarray(1))).to.equal(true)
  })

  it('makes the peer wait when nobody reads, and go on when somebody needs more', async () => {
    const flow = new Flow()
    const input = new Input(flow, 60_000)
    for (let i = 0; i < 10; i++) input.push(Buffer.alloc(10_000))
    expect([flow.isPaused, flow.pauses]).to.deep.equal([true, 1])
    await input.read(99_999)
    expect(flow.isPaused).to.equal(true)
    const more = input.read(100_000)
    expect(flow.isPaused).to.equal(false)
    for (let i = 0; i < 10; i++) input.push(Buffer.alloc(10_000))
    await more
    expect(flow.pauses).to.equal(1)
  })

  it('ends for the reader who waits and for those who come later, with the first reason', async () => {
    const input = new Input(new Flow(), 60_000)
    const waiting = input.read(5).catch((error: Error) => error.message)
    input.push(Buffer.alloc(4))
    input.end(new Error('first'))
    input.end(new Error('second'))
    input.push(Buffer.alloc(4))
    const later = await input.command().catch((error: Error) => error.message)
    expect([await waiting, later]).to.deep.equal(['first', 'first'])
  })

  it('ends when the peer is silent in the middle of something, and not between requests', async () => {
    const input = new Input(new Flow(), 20)
    const command = input.command()
    const error = await failure('PERDURE_TIMEOUT', async () => {
      const other = new Input(new Flow(), 20)
      other.push(Buffer.alloc(1))
      await other.read(2)
    })
    expect(error.details['timeoutMs']).to.equal(20)
    input.push(Buffer.of(7))
    expect(await command).to.equal(7)
  })
})

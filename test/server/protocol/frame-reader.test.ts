import { expect } from 'chai'
import fc from 'fast-check'
import { type Frame, FrameReader } from '../../../src/server/protocol/frame-reader.js'
import { FrameWriter } from '../../../src/server/protocol/frame-writer.js'
import { thrownBy } from '../../support/errors.js'

describe('FrameReader', () => {
  it('gives the same frames wherever the bytes are split', () => {
    const bytes = Buffer.concat([frame(1, 0, 0), frame(2, 7, 1), frame(3, 2 ** 32 - 1, 30), frame(4, 1, 5)])
    const whole = framesOf(new FrameReader(100), [bytes])
    expect(whole.map(({ kind }) => kind)).to.deep.equal([1, 2, 3, 4])
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const chunks = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
        expect(framesOf(new FrameReader(100), chunks)).to.deep.equal(whole)
      }
    }
    expect(
      framesOf(
        new FrameReader(100),
        Array.from(bytes, (byte) => Buffer.of(byte)),
      ),
    ).to.deep.equal(whole)
  })

  it('gives the same frames of any size in chunks of any size', () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(70_000), fc.constant(1_300_000)), { maxLength: 6 })
    const chunkSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 90_000 })), {
      minLength: 1,
      maxLength: 20,
    })
    fc.assert(
      fc.property(sizes, chunkSizes, (sizes, chunkSizes) => {
        fc.pre(sizes.length < 3 || Math.max(...chunkSizes) > 1000)
        const bytes = Buffer.concat(sizes.map((size, i) => frame(i, i, size)))
        const chunks = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = chunkSizes[i % chunkSizes.length] as number
          chunks.push(bytes.subarray(at, at + size))
          at += size
        }
        const reader = new FrameReader(2_000_000)
        const frames = framesOf(reader, chunks)
        expect(frames.map(({ payload }) => payload.length)).to.deep.equal(sizes)
        expect(frames.every(({ kind, payload }) => payload.every((byte) => byte === kind))).to.equal(true)
        expect(reader.pendingBytes).to.equal(0)
      }),
      { numRuns: 60 },
    )
  })

  it('gives views of a chunk that holds the whole frame', () => {
    const bytes = frame(1, 1, 1000)
    const [only] = framesOf(new FrameReader(2000), [bytes])
    expect(only?.payload.buffer).to.equal(bytes.buffer)
  })

  it('refuses a frame above the limit before it takes any of it', () => {
    const reader = new FrameReader(1000)
    expect(thrownBy(() => framesOf(reader, [frame(1, 1, 995), lengthOf(1001)])).code).to.equal('PERDURE_PROTOCOL')
    for (const byte of lengthOf(1001).subarray(0, 3))
      expect(framesOf(new FrameReader(1000), [Buffer.of(byte)])).to.be.empty
    const slow = new FrameReader(1000)
    const bytes = Array.from(lengthOf(1001), (byte) => Buffer.of(byte))
    expect(thrownBy(() => framesOf(slow, bytes)).code).to.equal('PERDURE_PROTOCOL')
  })

  it('refuses a frame that is too short to be one', () => {
    expect(thrownBy(() => framesOf(new FrameReader(1000), [lengthOf(4)])).code).to.equal('PERDURE_PROTOCOL')
  })

  it('takes memory for what has arrived, and not for what was announced', () => {
    const reader = new FrameReader(2 ** 31)
    const before = process.memoryUsage().arrayBuffers
    framesOf(reader, [lengthOf(2 ** 31), Buffer.alloc(10)])
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(2 ** 21)
    expect(reader.pendingBytes).to.equal(14)
  })

  it('keeps frames that nobody took when more arrives', () => {
    const reader = new FrameReader(1000)
    reader.push(Buffer.concat([frame(1, 1, 3), frame(2, 2, 3)]))
    expect(reader.next()?.kind).to.equal(1)
    reader.push(frame(3, 3, 3))
    expect([reader.next()?.kind, reader.next()?.kind, reader.next()]).to.deep.equal([2, 3, undefined])
  })
})

function frame(kind: number, request: number, size: number): Buffer {
  const writer = new FrameWriter()
  writer.begin(kind, request)
  writer.bytes(Buffer.alloc(size, kind))
  return writer.end()
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}

function framesOf(reader: FrameReader, chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    for (let next = reader.next(); next !== undefined; next = reader.next()) frames.push(next)
  }
  return frames
}

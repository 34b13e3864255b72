import { expect } from 'chai'
import fc from 'fast-check'
import { unpackError } from '../../../src/core/errors.js'
import { type Frame, FrameReader } from '../../../src/server/protocol/frame-reader.js'
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  encodeServerMessage,
} from '../../../src/server/protocol/message-frames.js'
import { thrownBy } from '../../support/errors.js'
import { clientMessage, requestIdFor, serverMessage } from './arbitrary-messages.js'

const requestId = fc.integer({ min: 1, max: 2 ** 32 - 1 })

describe('messages as frames', () => {
  it('come back from a client as they were sent', () => {
    fc.assert(
      fc.property(clientMessage, requestId, (message, id) => {
        const request = requestIdFor(message, id)
        expect(decodeClientMessage(frameOf(encodeClientMessage(request, message)))).to.deep.equal({ request, message })
      }),
      { numRuns: 2000 },
    )
  })

  it('come back from a server as they were sent', () => {
    fc.assert(
      fc.property(serverMessage, requestId, (message, id) => {
        const request = requestIdFor(message, id)
        expect(decodeServerMessage(frameOf(encodeServerMessage(request, message)))).to.deep.equal({ request, message })
      }),
      { numRuns: 2000 },
    )
  })

  it('lie side by side when they are made one after another', () => {
    const first = encodeClientMessage(1, { type: 'ping' })
    const second = encodeClientMessage(2, { type: 'ping' })
    expect(second.buffer).to.equal(first.buffer)
    expect(second.byteOffset).to.equal(first.byteOffset + first.length)
  })

  it('may be longer than the memory they share', () => {
    const writes = Array.from({ length: 40 }, (_, oid) => ({ oid, data: Buffer.alloc(10_000, oid) }))
    const message = { type: 'commit', base: 1, token: Buffer.alloc(16), note: '', user: '', reads: [], writes } as const
    const frame = frameOf(encodeClientMessage(9, message))
    expect(decodeClientMessage(frame)).to.deep.equal({ request: 9, message })
  })

  it('are refused with an offset when they have been cut off', () => {
    fc.assert(
      fc.property(clientMessage, fc.double({ min: 0, max: 0.999 }), (message, where) => {
        const frame = frameOf(encodeClientMessage(requestIdFor(message, 1), message))
        fc.pre(frame.payload.length > 0)
        const cut = { ...frame, payload: frame.payload.subarray(0, Math.floor(frame.payload.length * where)) }
        const error = thrownBy(() => decodeClientMessage(cut))
        expect(error.code).to.equal('PERDURE_PROTOCOL')
        expect(error.details.offset).to.be.within(0, cut.payload.length)
      }),
    )
  })

  it('are refused when something follows', () => {
    const frame = frameOf(encodeClientMessage(1, { type: 'load', snapshot: 1, oid: 2, aheadRecords: 3, aheadBytes: 4 }))
    const longer = { ...frame, payload: Buffer.concat([frame.payload, Buffer.of(0)]) }
    expect(thrownBy(() => decodeClientMessage(longer)).message).to.contain('follows the end (byte 4 of 5)')
  })

  it('are refused when they count more than they hold', () => {
    // loadMany of snapshot 0 with 2^40 objects.
    const payload = Buffer.from([0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20])
    expect(thrownBy(() => decodeClientMessage({ kind: 6, request: 1, payload })).message).to.contain('larger than')
  })

  it('hold no number above 2^53 - 1', () => {
    const payload = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10])
    expect(thrownBy(() => decodeClientMessage({ kind: 7, request: 1, payload })).message).to.contain('too large')
  })

  it('are refused with an id where there must be none, and without where there must be one', () => {
    const payload = Buffer.alloc(0)
    expect(thrownBy(() => decodeClientMessage({ kind: 3, request: 0, payload })).code).to.equal('PERDURE_PROTOCOL')
    expect(thrownBy(() => decodeClientMessage({ kind: 0x23, request: 5, payload })).code).to.equal('PERDURE_PROTOCOL')
    expect(thrownBy(() => encodeClientMessage(0, { type: 'ping' })).code).to.equal('PERDURE_ARGUMENT')
    expect(thrownBy(() => encodeClientMessage(5, { type: 'goodbye' })).code).to.equal('PERDURE_ARGUMENT')
  })

  it('cannot be made of numbers that are no oids', () => {
    for (const oid of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(thrownBy(() => encodeClientMessage(1, { type: 'loadMany', snapshot: 1, oids: [oid] })).code).to.equal(
        'PERDURE_ARGUMENT',
      )
    }
    expect(encodeClientMessage(1, { type: 'ping' }).toString('hex')).to.equal('050000000301000000')
  })

  it('do not ask for more at once than they may', () => {
    const data = Buffer.alloc(0)
    const writes = new Array(1_048_577).fill({ oid: 1, data })
    const message = { type: 'commit', base: 1, token: Buffer.alloc(16), note: '', user: '', reads: [], writes } as const
    expect(thrownBy(() => encodeClientMessage(1, message)).code).to.equal('PERDURE_LIMIT')
    const most = encodeClientMessage(1, { ...message, writes: writes.slice(1) })
    expect(decodeClientMessage(frameOf(most))).to.have.nested.property('message.writes.length', 1_048_576)
    const oids = new Array(65_537).fill(1)
    const many = frameOf(encodeClientMessage(1, { type: 'loadMany', snapshot: 1, oids }))
    expect(thrownBy(() => decodeClientMessage(many)).message).to.contain('more than 65536')
  })

  it('give nothing a prototype', () => {
    const json = '{"loads":0,"commits":0,"conflicts":0,"bytes":0,"tid":0,"__proto__":{"polluted":1}}'
    const { message } = decodeServerMessage({ kind: 0x4a, request: 1, payload: Buffer.from(json) })
    expect(message).to.deep.equal({
      type: 'statistics',
      statistics: { loads: 0, commits: 0, conflicts: 0, bytes: 0, tid: 0 },
    })
    expect({}).not.to.have.property('polluted')
    const error = '{"code":"PERDURE_IO","name":"e","message":"m","details":{"a":{"__proto__":{"polluted":1}}}}'
    const decoded = decodeServerMessage({ kind: 0x4b, request: 1, payload: Buffer.from(error) })
    expect(JSON.stringify(decoded)).not.to.contain('polluted')
  })

  it('keep code, class and cause of an error, and leave its stack at home', () => {
    const details = { base: 3, conflicts: [{ oid: 1, className: 'Account', tid: 4 }] }
    const cause = { code: '', name: 'TypeError', message: 'why', details: {}, stack: 'secret' } as const
    const error = {
      code: 'PERDURE_CONFLICT',
      name: 'ConflictError',
      message: '',
      details,
      stack: 'secret',
      cause,
    } as const
    const frame = encodeServerMessage(1, { type: 'error', error })
    expect(frame.toString('latin1')).not.to.contain('secret')
    const { message } = decodeServerMessage(frameOf(frame))
    if (message.type !== 'error') throw new Error('it must be an error')
    const unpacked = unpackError(message.error)
    expect(unpacked).to.include({ code: 'PERDURE_CONFLICT', name: 'ConflictError' })
    expect(unpacked.cause).to.be.instanceOf(Error).and.to.include({ name: 'TypeError', message: 'why' })
  })

  it('refuse a batch whose arrays do not fit together', () => {
    const batch = {
      oids: Float64Array.of(1, 2),
      tids: Float64Array.of(1, 1),
      bytes: Uint32Array.of(10, 10),
      classes: Uint32Array.of(0, 0),
      classNames: ['A'],
      referenceEnds: Uint32Array.of(1, 2),
      references: Float64Array.of(2, 1),
    }
    const wrong = [
      { classes: Uint32Array.of(0, 1) },
      { referenceEnds: Uint32Array.of(2, 1) },
      { referenceEnds: Uint32Array.of(1, 1) },
      { oids: Float64Array.of(1, 0.5) },
      { references: Float64Array.of(2, -1) },
    ]
    for (const change of wrong) {
      const frame = frameOf(encodeServerMessage(1, { type: 'batchPart', batch: { ...batch, ...change } }))
      expect(thrownBy(() => decodeServerMessage(frame)).code).to.equal('PERDURE_PROTOCOL')
    }
  })
})

function frameOf(bytes: Buffer): Frame {
  const reader = new FrameReader(2 ** 31)
  reader.push(bytes)
  const frame = reader.next()
  if (frame === undefined) throw new Error('the frame must be complete')
  expect(reader.pendingBytes).to.equal(0)
  return frame
}

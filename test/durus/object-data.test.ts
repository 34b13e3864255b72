import { deflateSync } from 'node:zlib'
import { expect } from 'chai'
import { ObjectDataReader } from '../../src/durus/object-data.js'
import { PythonDict, PythonGlobal } from '../../src/durus/pickle/python-values.js'
import { thrownBy } from '../support/errors.js'

const THING = Buffer.from('\x80\x02capp\nThing\nq\x00.', 'latin1')
const OTHER = Buffer.from('\x80\x02capp\nOther\nq\x00.', 'latin1')

function object(head: Uint8Array, state: string | Uint8Array, oid = 7) {
  const data = Buffer.concat([head, typeof state === 'string' ? Buffer.from(state, 'latin1') : state])
  return { oid, data, references: [], offset: 0 }
}

describe('ObjectDataReader', () => {
  it('reads states that are compressed and states that are not, which may refer to the class', () => {
    const reader = new ObjectDataReader()
    const state = '\x80\x02}X\x01\0\0\0th\0s.'
    for (const head of [THING, THING, OTHER, THING]) {
      const type = new PythonGlobal('app', head === THING ? 'Thing' : 'Other')
      const expected = { type, state: new PythonDict(['t', type]) }
      expect(reader.readClass(object(head, state))).to.deep.equal(type)
      expect(reader.read(object(head, state))).to.deep.equal(expected)
      expect(reader.read(object(head, deflateSync(Buffer.from(state, 'latin1'))))).to.deep.equal(expected)
    }
  })

  it('takes no class for the one before that only begins like it', () => {
    const reader = new ObjectDataReader()
    const numbered = Buffer.from('\x80\x02Nq\x010capp\nThing\nq\x00.', 'latin1')
    for (let i = 0; i < 2; i++) {
      expect(reader.read(object(numbered, '\x80\x02h\x01.')).state).to.equal(null)
      expect(reader.read(object(Buffer.from('capp\nThing\n.'), 'K\x05.')).state).to.equal(5)
      expect(reader.read(object(THING, 'h\0.')).state).to.deep.equal(new PythonGlobal('app', 'Thing'))
    }
  })

  it('says which object makes no sense, and where', () => {
    const reader = new ObjectDataReader()
    const noClass = thrownBy(() => reader.readClass(object(Buffer.from('K\x05.'), 'N.')))
    expect(noClass.details).to.deep.equal({ oid: 7, offset: 0 })
    expect(thrownBy(() => reader.read(object(THING, 'NN\xff'))).details).to.deep.equal({
      oid: 7,
      offset: THING.length + 3,
    })
    const inflated = thrownBy(() => reader.read(object(THING, deflateSync(Buffer.from('N\xff', 'latin1')))))
    expect(inflated.code).to.equal('PERDURE_DECODE')
    expect(inflated.details).to.deep.equal({ oid: 7, offset: THING.length, stateOffset: 2 })
    expect(inflated.message).to.include('byte 2 of the inflated state')
    const cut = thrownBy(() => reader.read(object(THING, deflateSync(Buffer.alloc(1000)).subarray(0, -5))))
    expect(cut.details).to.deep.equal({ oid: 7, offset: THING.length })
  })

  it('inflates no more than a state may have', () => {
    const bomb = deflateSync(Buffer.alloc(257 * 1024 * 1024), { level: 1 })
    const error = thrownBy(() => new ObjectDataReader().read(object(THING, bomb)))
    expect(error.code).to.equal('PERDURE_DECODE')
    expect(error.message).to.include('268435456')
  })
})

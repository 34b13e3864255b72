import { expect } from 'chai'
import fc from 'fast-check'
import { MAX_ID } from '../../../src/core/oid.js'
import { classNameOf } from '../../../src/core/pickle-record.js'
import { decodeRecord } from '../../../src/core/record.js'
import { DurusWriter, readOid } from '../../../src/server/durus/format.js'
import { readWrite, writeRecord } from '../../../src/server/durus/record.js'
import { caught } from '../../serializers/caught.js'
import { durusRecord, int4, int8 } from '../../support/durus-client.js'

const oids = fc.oneof(fc.nat(300), fc.maxSafeNat())

describe('A Durus record', () => {
  it('comes back byte for byte', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data).toString('latin1'))
    fc.assert(
      fc.property(oids, bytes, fc.array(oids, { maxLength: 20 }), (oid, data, references) => {
        const record = durusRecord({ oid, data, references })
        const write = readWrite(Buffer.concat([int8(oid), record]))
        const out = new DurusWriter(16)
        writeRecord(out, write.oid, write.data)
        expect(out.done().equals(Buffer.concat([int4(record.length), record]))).to.equal(true)

        const { state, references: kept } = decodeRecord(write.data)
        expect([Buffer.from(state).toString('latin1'), kept.map((reference) => reference.oid)]).to.deep.equal([
          data,
          references,
        ])
      }),
    )
  })

  it('is refused if it cannot be one, whatever else the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 60 }), (bytes) => {
        const write = () => readWrite(Buffer.from(bytes))
        try {
          decodeRecord(write().data)
        } catch {
          expect(caught(write).code).to.equal('PERDURE_PROTOCOL')
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('has an oid of eight bytes, of which Perdure knows those up to 2^53 - 1', () => {
    expect(readOid(int8(MAX_ID), 0)).to.equal(MAX_ID)
    expect(readOid(int8(BigInt(MAX_ID) + 1n), 0)).to.equal(undefined)
    expect(readOid(int8(2n ** 64n - 1n), 0)).to.equal(undefined)
  })
})

describe('The class name in a pickle', () => {
  const named = (text: string) => classNameOf(Buffer.from(`\x80\x02${text}`, 'latin1'))

  it('is read from the form that Durus writes', () => {
    expect(named('cdurus.persistent_dict\nPersistentDict\nq\x00.x')).to.equal('durus.persistent_dict.PersistentDict')
    expect(named('c__main__\nOuter.Inner\nq\x00.')).to.equal('__main__.Outer.Inner')
    expect(named(Buffer.from('cmodül\nKlasse\n.').toString('latin1'))).to.equal('modül.Klasse')
  })

  it('is pickle for everything else', () => {
    for (const text of [
      '',
      'c',
      'cmodule',
      'cmodule\nName',
      'c\nName\n',
      'cmodule\n\n',
      'cmo dule\nName\n',
      'cm\n1a\n',
    ]) {
      expect(named(text), JSON.stringify(text)).to.equal('pickle')
    }
    expect(named(`c${'m'.repeat(251)}\nName\n`)).to.equal('pickle')
    expect(named('c\xff\xfe\nName\n')).to.equal('pickle')
    expect(classNameOf(Buffer.from('\x80\x04cmodule\nName\n', 'latin1'))).to.equal('pickle')
    expect(classNameOf(new Uint8Array())).to.equal('pickle')
  })

  it('is one that a record can carry, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const data = Buffer.concat([Buffer.from('\x80\x02c', 'latin1'), bytes])
        const record = Buffer.concat([int8(5), int8(5), int4(data.length), data])
        expect(decodeRecord(readWrite(record).data).className).to.equal(classNameOf(data))
      }),
    )
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { ByteWriter } from '../../src/core/byte-writer.js'
import { PerdureError } from '../../src/core/errors.js'
import { MAX_ID } from '../../src/core/oid.js'
import { decodeRecord, encodeRecord, MAX_CLASS_NAME, recordClassName, recordReferences } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'

const className = fc
  .string({ unit: 'grapheme', minLength: 0, maxLength: 60 })
  .filter((name) => Buffer.byteLength(name) <= MAX_CLASS_NAME)
const oid = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, MAX_ID))
const parts = fc.record({
  className,
  references: fc.array(fc.tuple(oid, fc.oneof(className, fc.constantFrom('A', 'B')))),
  state: fc.uint8Array({ maxLength: 300 }),
})

describe('record', () => {
  it('comes apart into what it was made of', () => {
    fc.assert(
      fc.property(parts, ({ className, references, state }) => {
        const bytes = encodeRecord(
          className,
          references.map(([target, name]) => new Reference(target, name)),
          state,
        )
        const record = decodeRecord(bytes)
        expect(record.className).to.equal(className)
        expect(record.references.map((reference) => [reference.oid, reference.className])).to.deep.equal(references)
        expect(Uint8Array.from(record.state)).to.deep.equal(state)
        expect(recordClassName(bytes)).to.equal(className)
        expect(recordReferences(bytes)).to.deep.equal(references.map(([target]) => target))
      }),
      { numRuns: 1000 },
    )
  })

  it('has the bytes that the grammar says', () => {
    const references = [new Reference(1, 'B'), new Reference(300, 'A')]
    const bytes = encodeRecord('A', references, Uint8Array.of(9, 8))
    expect([...bytes]).to.deep.equal([2, 1, 65, 1, 66, 2, 1, 1, 0, 172, 2, 9, 8])
  })

  it('names each class once, whatever the number of references to it', () => {
    const references = Array.from({ length: 1000 }, (_, i) => new Reference(i % 100, i % 2 ? 'Leaf' : 'Tree'))
    const bytes = encodeRecord('Tree', references, new Uint8Array(0))
    expect(bytes.length).to.equal(1 + 5 + 5 + 2 + 2 * 1000)
  })

  it('keeps apart class names of which a hash or a prefix is the same', () => {
    const names = ['Aa', 'BB', 'AaAa', 'AaBB', 'BBAa', 'BBBB', 'A', '', 'A\u0000', '\u00e9']
    for (let round = 0; round < 3; round++) {
      for (const name of names) expect(recordClassName(encodeRecord(name, [], Uint8Array.of(65)))).to.equal(name)
    }
  })

  it('gives the state as a view, and nothing else of the bytes', () => {
    const bytes = encodeRecord('Thing', [new Reference(5, 'Other')], Uint8Array.of(1, 2, 3))
    const { state, references } = decodeRecord(bytes)
    bytes.fill(0)
    expect([...state]).to.deep.equal([0, 0, 0])
    expect(references[0]?.className).to.equal('Other')
    expect(recordClassName(encodeRecord('Thing', [], state))).to.equal('Thing')
  })
})

describe('hostile record', () => {
  it('is refused as PERDURE_DECODE, with the byte where it stops making sense', () => {
    const cases: [string, number[]][] = [
      ['empty', []],
      ['no class', [0, 0]],
      ['class name cut off', [1, 5, 65]],
      ['class name too long', [1, 0x80, 2, ...new Array(300).fill(65)]],
      ['more classes than bytes', [200, 1, 1, 65]],
      ['more references than bytes', [1, 1, 65, 200, 1]],
      ['references missing', [1, 1, 65]],
      ['reference to a class not listed', [1, 1, 65, 1, 1, 7]],
      ['oid cut off', [1, 1, 65, 1, 0, 0x80]],
      ['oid above 2^53 - 1', [1, 1, 65, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]],
      ['varint that never ends', [1, 1, 65, 1, 0, ...new Array(100).fill(0x80)]],
      ['varint with superfluous zeros', [1, 1, 65, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]],
    ]
    for (const [name, bytes] of cases) {
      const error = caught(() => decodeRecord(Uint8Array.from(bytes)))
      expect(error?.code, name).to.equal('PERDURE_DECODE')
      expect(error?.details.offset, name).to.be.within(0, bytes.length)
    }
  })

  it('of any bytes decodes or fails as PERDURE_DECODE', () => {
    let refused = 0
    const check = (bytes: Uint8Array) => {
      for (const read of [decodeRecord, recordReferences, recordClassName]) {
        const error = caught(() => read(bytes))
        if (error === undefined) continue
        refused++
        if (error.code !== 'PERDURE_DECODE') throw error
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { numRuns: 30_000 })
    fc.assert(fc.property(damaged, check), { numRuns: 30_000 })
    expect(refused).to.be.greaterThan(1000)
  })

  it('that decodes names the same references and class, whatever reads it', () => {
    fc.assert(
      fc.property(damaged, (bytes) => {
        if (caught(() => decodeRecord(bytes)) !== undefined) return
        const record = decodeRecord(bytes)
        expect(recordReferences(bytes)).to.deep.equal(record.references.map((reference) => reference.oid))
        expect(recordClassName(bytes)).to.equal(record.className)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('ByteWriter', () => {
  it('grows, and keeps what was written', () => {
    const out = new ByteWriter(1)
    for (let i = 0; i < 1000; i++) out.varint(i * 1000)
    out.string('\u{1f600}'.repeat(1000))
    out.bytes(new Uint8Array(10_000).fill(7))
    const expected = new ByteWriter(100_000)
    for (let i = 0; i < 1000; i++) expected.varint(i * 1000)
    expected.string('\u{1f600}'.repeat(1000))
    expected.bytes(new Uint8Array(10_000).fill(7))
    expect(Buffer.compare(out.buffer.subarray(0, out.length), expected.buffer.subarray(0, expected.length))).to.equal(0)
  })
})

/** A sound record with some bytes changed, and cut or prolonged. */
const damaged = fc
  .tuple(parts, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.integer({ min: -20, max: 5 }))
  .map(([{ className, references, state }, changes, longer]) => {
    const targets = references.map(([target, name]) => new Reference(target, name))
    const sound = encodeRecord(className, targets, state)
    const bytes = new Uint8Array(Math.max(0, sound.length + longer))
    bytes.set(sound.subarray(0, bytes.length))
    for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
    return bytes
  })

/** The error an action throws. One that is no PerdureError fails the test. */
function caught(action: () => unknown): PerdureError | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    if (error instanceof PerdureError) return error
    throw error
  }
}

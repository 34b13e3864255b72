import { execFileSync } from 'node:child_process'
import { Decoder as CborDecoder } from 'cbor-x'
import { expect } from 'chai'
import { parse } from 'devalue'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import type { State } from '../../src/core/serializer.js'
import { cbor, devalue, msgpack, type Serializer } from '../../src/serializers/index.js'
import { assertSameValue } from '../../src/testing/same-value.js'

const writer = { position: () => 0 }
const reader = { count: 0, at: () => expect.fail('there are no references') }

const libraries: [Serializer, (bytes: Uint8Array) => unknown][] = [
  [msgpack, (bytes) => new Unpackr({ useRecords: false, mapsAsObjects: true }).unpack(bytes)],
  [cbor, (bytes) => new CborDecoder({ useRecords: false, mapsAsObjects: true }).decode(bytes)],
  [devalue, (bytes) => parse(Buffer.from(bytes).toString())],
]

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withNullPrototype: true,
  maxDepth: 5,
})

for (const [serializer, readWithLibrary] of libraries) {
  describe(`what ${serializer.name} writes`, () => {
    it('comes back as it was', () => {
      fc.assert(
        fc.property(fc.dictionary(fc.string({ unit: 'binary' }), anything), (state: State) => {
          assertSameValue(serializer.decode(serializer.encode(state, writer), reader), state)
        }),
        { numRuns: 500 },
      )
    })

    it('is read by the library, if it is ordinary', () => {
      const json = fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.jsonValue({ noUnicodeString: false }),
      )
      fc.assert(
        fc.property(json, (state) => {
          // Only this one has no word of its own for minus zero.
          fc.pre(
            !JSON.stringify(state, (_, value) => (Object.is(value, -0) ? 'minus zero' : value)).includes('minus zero'),
          )
          fc.pre(!JSON.stringify(state).includes('__proto__'))
          expect(readWithLibrary(serializer.encode(state, writer))).to.deep.equal(state)
        }),
      )
    })

    it('stays small when a large state has gone before', () => {
      serializer.encode({ large: 'x'.repeat(3_000_000) }, writer)
      assertSameValue(serializer.decode(serializer.encode({ a: 1 }, writer), reader), { a: 1 })
    })
  })
}

describe('the serializers', () => {
  it('work where strings may not become code', () => {
    const url = new URL('../../src/serializers/index.js', import.meta.url)
    const script = `
      const { cbor, devalue, msgpack } = await import(${JSON.stringify(url)})
      for (const each of [msgpack, cbor, devalue]) {
        for (let i = 0; i < 50; i++) {
          const bytes = each.encode({ name: 'ada', map: new Map([[1, /a/]]), i }, { position: () => 0 })
          if (each.decode(bytes, { count: 0 }).i !== i) throw new Error(each.name)
        }
      }
      console.log('done')`
    const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', script]
    expect(execFileSync(process.execPath, flags, { encoding: 'utf8' })).to.equal('done\n')
  })
})

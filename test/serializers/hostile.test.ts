import { expect } from 'chai'
import { Reference } from '../../src/core/reference.js'
import { MAX_DEPTH, type ReferenceReader, type Serializer, type State } from '../../src/core/serializer.js'
import { cbor, devalue, msgpack } from '../../src/serializers/index.js'
import { caught } from './caught.js'

const ada = new Reference(7, 'Account')
const references: ReferenceReader = { count: 1, at: () => ada }

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

function expectRefused(serializer: Serializer, bytes: Uint8Array): void {
  const error = caught(() => serializer.decode(bytes, references))
  expect(error.code, bytes.toString()).to.equal('PERDURE_DECODE')
  expect(error.message).to.match(/^Not a state: /)
}

/** `a1 61` and `81 61 61`: a map of one entry "a" in either format. */
const IN_MSGPACK = '81 a1 61'
const IN_CBOR = 'a1 61 61'

describe('msgpack, given hostile bytes', () => {
  const refused: Record<string, string> = {
    'nothing at all': '',
    'a number': '05',
    'an array': '90',
    'a reference alone': 'd4 52 00 00',
    'a Map alone': 'd4 53 00 91 03',
    'an array of 4 G elements': `${IN_MSGPACK} dd ff ff ff ff`,
    'a map of 4 G entries': 'df ff ff ff ff',
    'nested arrays that each claim all the rest': `${IN_MSGPACK} ${'dc 00 ff '.repeat(90)}`,
    'a string of 4 GB': `${IN_MSGPACK} db ff ff ff ff 61`,
    'bytes of 4 GB': `${IN_MSGPACK} c6 ff ff ff ff 61`,
    'an extension of msgpackr (record)': 'd4 72 40 91 a1 61 01',
    'an extension of msgpackr (error)': `${IN_MSGPACK} d4 65 00 92 a1 61 a1 62`,
    'an extension of msgpackr (id)': `${IN_MSGPACK} d6 69 00 00 00 01 90`,
    'an extension of msgpackr (bundle)': `${IN_MSGPACK} d6 62 00 00 00 01 90`,
    'a timestamp': `${IN_MSGPACK} d6 ff 00 00 00 01`,
    'the byte that is never used': `${IN_MSGPACK} c1`,
    'a number as a key': '81 01 01',
    'a map as a key': '81 80 01',
    'a reference beyond the list': `${IN_MSGPACK} d4 52 00 01`,
    'a reference at -1': `${IN_MSGPACK} d4 52 00 ff`,
    'a reference at a bigint': `${IN_MSGPACK} d4 52 00 d3 00 00 00 00 00 00 00 00`,
    'a reference at a reference': `${IN_MSGPACK} d4 52 00 d4 52 00 00`,
    'specials in specials': `${IN_MSGPACK} ${'d4 53 00 '.repeat(100_000)}`,
    'references in references': `${IN_MSGPACK} ${'d4 52 00 '.repeat(100_000)}`,
    'a special of no kind': `${IN_MSGPACK} d4 53 00 90`,
    'a special of an unknown kind': `${IN_MSGPACK} d4 53 00 91 20`,
    'a shared value without a list': `${IN_MSGPACK} d4 53 00 92 01 00`,
    'a shared value named __proto__': 'd4 53 00 92 00 81 a1 61 d4 53 00 92 01 a9 5f5f70726f746f5f5f',
    'a shared value that is only shared': 'd4 53 00 93 00 81 a1 61 d4 53 00 92 01 01 d4 53 00 92 01 01',
    'a list in a list of shared values': 'd4 53 00 92 00 81 a1 61 d4 53 00 92 00 80',
    'an empty list of shared values': 'd4 53 00 91 00',
    'a typed array named map': `${IN_MSGPACK} d4 53 00 93 0c a3 6d6170 c4 00`,
    'a typed array of half an element': `${IN_MSGPACK} d4 53 00 93 0c 02 c4 01 00`,
    'a typed array of a length': `${IN_MSGPACK} d4 53 00 93 0c 02 ce 7f ff ff ff`,
    'an ArrayBuffer of a length': `${IN_MSGPACK} d4 53 00 92 0b ce 7f ff ff ff`,
    'a date of an array': `${IN_MSGPACK} d4 53 00 92 05 90`,
    'a bigint that is code': `${IN_MSGPACK} d4 53 00 92 09 a3 782b31`,
    'a malformed regular expression': `${IN_MSGPACK} d4 53 00 93 06 a1 28 a0`,
    'a regular expression with strange flags': `${IN_MSGPACK} d4 53 00 93 06 a1 61 a1 71`,
    'a Map with half an entry': `${IN_MSGPACK} d4 53 00 92 03 01`,
    'an index beyond the array': `${IN_MSGPACK} d4 53 00 94 07 02 02 01`,
    'an index that is text': `${IN_MSGPACK} d4 53 00 94 07 02 a6 6c656e677468 01`,
    'an array of a negative length': `${IN_MSGPACK} d4 53 00 92 07 ff`,
    'an array of a length of 2 ** 53': `${IN_MSGPACK} d4 53 00 92 07 cb 43 40 00 00 00 00 00 00`,
    'half a string of UTF-16': `${IN_MSGPACK} d4 53 00 92 08 c4 01 61`,
    'an array deeper than any state': `${IN_MSGPACK} ${'91 '.repeat(MAX_DEPTH + 1)} 01`,
    'arrays without end': '91 '.repeat(1_000_000),
    'maps without end': `${IN_MSGPACK} `.repeat(300_000),
  }
  for (const [name, bytes] of Object.entries(refused)) {
    it(`refuses ${name}`, () => expectRefused(msgpack, hex(bytes)))
  }

  it('says where', () => {
    expect(caught(() => msgpack.decode(hex('81 a1 61 c1'), references)).details.offset).to.equal(4)
  })

  it('makes an own property of __proto__', () => {
    const state = msgpack.decode(hex('81 a9 5f5f70726f746f5f5f 81 a1 61 01'), references)
    expect(Object.keys(state)).to.deep.equal(['__proto__'])
    expect(state['a']).to.equal(undefined)
    expect(Object.getPrototypeOf(state)).to.equal(Object.prototype)
  })
})

describe('cbor, given hostile bytes', () => {
  const refused: Record<string, string> = {
    'nothing at all': '',
    'a number': '05',
    'an array': '80',
    'an array of 4 G elements': `${IN_CBOR} 9a ff ff ff ff`,
    'an array of 2 ** 64 - 1 elements': `${IN_CBOR} 9b ff ff ff ff ff ff ff ff`,
    'a map of 4 G entries': 'ba ff ff ff ff',
    'an array of indefinite length': `${IN_CBOR} 9f ff`,
    'a map of indefinite length': 'bf ff',
    'a string of indefinite length': `${IN_CBOR} 7f ff`,
    'bytes of indefinite length': `${IN_CBOR} 5f ff`,
    'a break': `${IN_CBOR} ff`,
    'a string of 4 GB': `${IN_CBOR} 7a ff ff ff ff 61`,
    'a half-precision number': `${IN_CBOR} f9 00 00`,
    'a simple value': `${IN_CBOR} f8 20`,
    'a number as a key': 'a1 01 01',
    'a tag of cbor-x (generic object)': `${IN_CBOR} d8 1b 83 66 526567457870 61 61 60`,
    'a tag of cbor-x (shared)': `${IN_CBOR} d8 1c 80`,
    'a tag of cbor-x (record)': 'd9 df ff 83 19 e0 00 81 61 61 01',
    'a tag of cbor-x (bundle)': `${IN_CBOR} d9 df f9 82 1a 00 00 00 01 80`,
    'a decimal fraction': `${IN_CBOR} c4 82 1b 00 00 00 01 00 00 00 00 01`,
    'a bignum': `${IN_CBOR} c2 41 01`,
    'a reference beyond the list': `${IN_CBOR} d8 27 01`,
    'a reference at a bigint': `${IN_CBOR} d8 27 1b 00 00 00 00 00 00 00 00`,
    'a special of a map': `${IN_CBOR} d8 3c a0`,
    'tags on tags': `${IN_CBOR} ${'d8 3c '.repeat(100_000)}`,
    'arrays without end': '81 '.repeat(1_000_000),
    'a shared value named __proto__': 'd8 3c 82 00 a1 61 61 d8 3c 82 01 69 5f5f70726f746f5f5f',
  }
  for (const [name, bytes] of Object.entries(refused)) {
    it(`refuses ${name}`, () => expectRefused(cbor, hex(bytes)))
  }
})

describe('devalue, given hostile text', () => {
  const refused: Record<string, string> = {
    'nothing at all': '',
    'a number': '-1',
    'an empty list': '[]',
    'a list as the state': '[[]]',
    'a Map as the state': '[["Map"]]',
    'a position beyond the end': '[{"a":1}]',
    'a position between two': '[{"a":0.5}]',
    'a position that is text': '[{"a":"__proto__"},1]',
    'a hole in an object': '[{"a":-2}]',
    'values in values': '[{"a":{"b":1}},1]',
    'the key __proto__': '[{"__proto__":1},1]',
    'an unknown type': '[{"a":1},["Function","x"]]',
    'a URL': '[{"a":1},["URL","http://a"]]',
    'a boxed value': '[{"a":1},["Object",2],1]',
    'an object without a prototype': '[{"a":1},["null","a",2],1]',
    'a typed array of a length': '[{"a":1},["Uint8Array",2],1000000000]',
    'a typed array of part of a buffer': '[{"a":1},["Uint8Array",2,0,1],["ArrayBuffer","AAAA"]]',
    'a typed array of half an element': '[{"a":1},["Int16Array",2],["ArrayBuffer","AAAA"]]',
    'a DataView': '[{"a":1},["DataView",2],["ArrayBuffer","AAAA"]]',
    'a buffer that is not base64': '[{"a":1},["ArrayBuffer","\u0000!!!"]]',
    'a long decimal bigint': `[{"a":1},["BigInt","${'9'.repeat(1000)}"]]`,
    'a bigint that is none': '[{"a":1},["BigInt","0x10"]]',
    'a hexadecimal bigint that is none': '[{"a":1},["BigHex",2],"zz"]',
    'a reference at 0': '[{"a":1},["Reference",2],0]',
    'a reference beyond the list': '[{"a":1},["Reference",2],2]',
    'a reference of a list': '[{"a":1},["Reference",2],[1]]',
    'a reference of itself': '[{"a":1},["Reference",1]]',
    'a date of a number': '[{"a":1},["Date",5]]',
    'a malformed regular expression': '[{"a":1},["RegExp","("]]',
    'a Map with half an entry': '[{"a":1},["Map",0]]',
    'an array of too great a length': '[{"a":1},[-7,4294967296]]',
    'an index beyond the array': '[{"a":1},[-7,5,5,0]]',
    'an index that is text': '[{"a":1},[-7,5,"length",0]]',
    'half an element of an array': '[{"a":1},[-7,5,1]]',
    'a chain deeper than any state': `[{"a":1},${Array.from({ length: 100_000 }, (_, i) => `[${i + 2}]`).join()},1]`,
    'lists without end': '['.repeat(1_000_000),
    'a byte order mark': '\ufeff[{}]',
  }
  for (const [name, text] of Object.entries(refused)) {
    it(`refuses ${name}`, () => expectRefused(devalue, Buffer.from(text)))
  }

  it('refuses text that is not UTF-8', () => expectRefused(devalue, hex('5b 7b 22 ff 22 3a 2d 31 7d 5d')))
})

for (const serializer of [msgpack, cbor, devalue]) {
  describe(`${serializer.name}, given much in few bytes`, () => {
    const writer = { position: () => 0 }

    it('makes room for the elements of an array, not for its length', () => {
      const state: State = { list: [] }
      for (let i = 0; i < 1_000; i++) {
        const array: unknown[] = []
        // From so great a length down, or this array would take up what it might hold.
        array.length = 2 ** 32 - 1
        array.length = 30_000_000
        ;(state['list'] as unknown[]).push(array)
      }
      const bytes = Uint8Array.from(serializer.encode(state, writer))
      const before = process.memoryUsage().heapUsed
      const { list } = serializer.decode(bytes, references)
      expect(list).to.have.length(1_000)
      expect(process.memoryUsage().heapUsed - before).to.be.below(20_000_000)
    })

    it('neither writes nor reads patterns that take seconds to compile', () => {
      const costly = new RegExp('\\p{L}'.repeat(81), 'u')
      expect(caught(() => serializer.encode({ costly }, writer)).code).to.equal('PERDURE_UNSTORABLE')
      const fair = new RegExp('\\p{L}'.repeat(70), 'u')
      const bytes = Uint8Array.from(serializer.encode({ fair, again: fair }, writer))
      expect(serializer.decode(bytes, references)['fair']).to.deep.equal(fair)
      const many = { all: Array.from({ length: 3 }, () => new RegExp('\\P{L}'.repeat(30), 'v')) }
      expect(caught(() => serializer.encode(many, writer)).code).to.equal('PERDURE_UNSTORABLE')
      const plain = serializer.encode({ source: '\\p{L}'.repeat(81) }, writer)
      expect(serializer.decode(plain, references)['source']).to.have.length(405)
    })
  })
}

describe('a decoder', () => {
  it('reads another state while it reads one', () => {
    for (const serializer of [msgpack, cbor, devalue]) {
      const bytes = Uint8Array.from(serializer.encode({ first: ada, second: [1, 2, 3] }, { position: () => 0 }))
      let depth = 0
      const nesting: ReferenceReader = {
        count: 1,
        at(): Reference {
          if (depth++ < 3) expect(serializer.decode(bytes, nesting)['second']).to.deep.equal([1, 2, 3])
          return ada
        },
      }
      expect(serializer.decode(bytes, nesting)).to.deep.equal({ first: ada, second: [1, 2, 3] })
    }
  })
})

import { expect } from 'chai'
import { PickleReader } from '../../../src/durus/pickle/pickle-reader.js'
import { thrownBy } from '../../support/errors.js'

function load(pickle: string): unknown {
  const reader = new PickleReader()
  reader.open(Buffer.from(pickle, 'latin1'))
  return reader.load()
}

const REFUSED: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'no end': 'N',
  'an end without a value': '.',
  'a value that is there only for the part below a mark': 'N(.',
  'a byte that is no opcode': '\xff',
  'a protocol to come': '\x80\x06N.',
  'a frame that is longer than the rest': '\x95\xff\0\0\0\0\0\0\0N.',
  'a frame of 2^64 bytes': '\x95\xff\xff\xff\xff\xff\xff\xff\xffN.',
  'a text of 4 GB': 'X\xff\xff\xff\xffa.',
  'a text of 2^64 bytes': '\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.',
  'bytes of 4 GB': 'B\xff\xff\xff\xffa.',
  'an int of 4 GB': '\x8b\xff\xff\xff\xffa.',
  'a text that is not UTF-8': 'X\x02\0\0\0\xc3(.',
  'half a surrogate': 'X\x02\0\0\0\xed\xa0.',
  'a line without an end': 'I12',
  'a number with letters': 'I12x\n.',
  'a number of too many digits': `L${'9'.repeat(100_000)}L\n.`,
  'a float of words': 'F1.5 apples\n.',
  'a string without quotes': 'Sabc\n.',
  'a string that does not end': "S'abc\n.",
  'an escape without digits': "S'\\x'\n.",
  'a code point beyond Unicode': 'V\\Uffffffff\n.',
  'a number in the memo that nothing has': 'h\x05.',
  'a number in the memo that is negative': 'Np-1\n.',
  'a number in the memo for which there would be no memory': 'Nr\xff\xff\xff\xff.',
  'a mark that is not there': 't.',
  'items for what is no list': 'N(Ne.',
  'items for what is no dict': 'N(NNu.',
  'items for what is no set': 'N(N\x90.',
  'a key without a value': '}(Nu.',
  'a state for a list': ']Nb.',
  'two states': 'cm\nn\n)R}b}b.',
  'arguments that are no tuple': 'cm\nn\n]R.',
  'keywords that are no dict': 'cm\nn\n)]\x92.',
  'a global of numbers': 'K\x01K\x02\x93.',
  'an instance of nothing': '(o.',
  'a buffer from elsewhere': '\x97.',
}

describe('PickleReader, given hostile bytes', () => {
  for (const [name, pickle] of Object.entries(REFUSED)) {
    it(`refuses ${name}`, () => {
      const error = thrownBy(() => load(pickle))
      expect(error.code).to.equal('PERDURE_DECODE')
      expect(error.message).to.match(/^Not a pickle: /)
      expect(error.details.offset).to.be.within(0, pickle.length)
    })
  }

  it('says where', () => {
    expect(thrownBy(() => load('NNN\xff')).details.offset).to.equal(4)
  })

  it('takes memory in proportion to the bytes, not to what they stand for', () => {
    // Each list holds the one before twice, so that the last one would have 2^100,000 elements.
    let pickle = ']q\x00'
    for (let i = 1; i <= 100_000; i++) pickle += `](h\x00h\x00eq\x00`
    const before = process.memoryUsage().heapUsed
    const value = load(`${pickle}.`) as unknown[]
    expect(value[0]).to.equal(value[1])
    expect(process.memoryUsage().heapUsed - before).to.be.below(100 * pickle.length)
  })

  it('reads what nests deeper than any stack', () => {
    const depth = 1_000_000
    let value = load(`${']'.repeat(depth)}${'a'.repeat(depth - 1)}.`) as unknown[]
    for (let i = 1; i < depth; i++) value = value[0] as unknown[]
    expect(value).to.deep.equal([])
    expect(load(`${'('.repeat(depth)}N${'t'.repeat(depth)}.`)).to.have.property('items')
  })

  it('changes no prototype', () => {
    load('}(V__proto__\nV1\nVconstructor\nV2\nuc__proto__\n__proto__\n)R}V__proto__\n}sb0.')
    expect(Object.keys(Object.prototype)).to.deep.equal([])
  })
})

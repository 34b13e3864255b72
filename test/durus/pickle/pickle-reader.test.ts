import { expect } from 'chai'
import fc from 'fast-check'
import { PickleReader } from '../../../src/durus/pickle/pickle-reader.js'
import {
  PersistentId,
  PythonByteString,
  PythonDict,
  PythonGlobal,
  PythonObject,
  PythonSet,
  PythonTuple,
} from '../../../src/durus/pickle/python-values.js'
import { thrownBy } from '../../support/errors.js'
import {
  durusReference,
  int,
  PickleWriter,
  type Protocol,
  type PythonValue,
  pickleClass,
} from '../../support/pickle-writer.js'

const PROTOCOLS: readonly Protocol[] = [0, 2, 4]

function read(pickle: Uint8Array): unknown {
  const reader = new PickleReader()
  reader.open(pickle)
  return reader.load()
}

function readText(pickle: string): unknown {
  return read(Buffer.from(pickle, 'latin1'))
}

/** What a value of the writer is read as. */
function expected(value: PythonValue): unknown {
  if (value === null || typeof value !== 'object') return value
  if ('int' in value) return Number.isSafeInteger(Number(value.int)) ? Number(value.int) : value.int
  if ('float' in value) return value.float
  if ('bytes' in value) return Uint8Array.from(value.bytes)
  if ('str2' in value) {
    const isText = value.str2.every((byte) => byte < 128)
    return isText ? Buffer.from(value.str2).toString('latin1') : new PythonByteString(Uint8Array.from(value.str2))
  }
  if ('list' in value) return value.list.map(expected)
  if ('tuple' in value) return new PythonTuple(value.tuple.map(expected))
  if ('dict' in value) return new PythonDict(value.dict.flat().map(expected))
  if ('set' in value) return new PythonSet(value.set.map(expected), false)
  if ('frozenset' in value) return new PythonSet(value.frozenset.map(expected), true)
  if ('global' in value) return new PythonGlobal(...value.global)
  if ('persistent' in value) return new PersistentId(expected(value.persistent))
  const { instance, args = [], isNew = false, state, items } = value
  const object = new PythonObject(expected(instance), args.map(expected), isNew)
  if (state !== undefined) object.state = expected(state)
  if (items !== undefined) object.listItems = items.map(expected)
  return object
}

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z_0-9]{0,8}$/)

const { value: anyValue } = fc.letrec<{ value: PythonValue; leaf: PythonValue; node: PythonValue }>((tie) => ({
  leaf: fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', '\ud800', 'a\udfffb', '\ufffd', 'é\n\\u0041', '\u{1f600}'),
    fc.bigInt().map((value) => ({ int: value })),
    fc.integer().map((value) => ({ int: BigInt(value) })),
    fc.bigInt({ min: -(2n ** 3000n), max: 2n ** 3000n }).map((value) => ({ int: value })),
    fc.double().map((value) => ({ float: value })),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ bytes })),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ str2: bytes })),
    fc.tuple(name, name).map((global) => ({ global })),
  ),
  node: fc.oneof(
    fc.array(tie('value'), { maxLength: 5 }).map((list) => ({ list })),
    fc.array(tie('value'), { maxLength: 5 }).map((tuple) => ({ tuple })),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((dict) => ({ dict })),
    fc.array(tie('value'), { maxLength: 4 }).map((set) => ({ set })),
    fc.array(tie('value'), { maxLength: 4 }).map((frozenset) => ({ frozenset })),
    fc.record({
      instance: fc.tuple(name, name).map((global) => ({ global })),
      args: fc.array(tie('value'), { maxLength: 3 }),
      isNew: fc.constant(false),
      state: tie('value'),
    }),
  ),
  value: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('node')),
}))

describe('PickleReader', () => {
  for (const protocol of PROTOCOLS) {
    it(`reads whatever was pickled, by protocol ${protocol}`, () => {
      fc.assert(
        fc.property(anyValue, (value) => {
          expect(read(new PickleWriter(protocol).dump(value))).to.deep.equal(expected(value))
        }),
        { numRuns: 1000 },
      )
    })
  }

  it('reads new instances, items and persistent ids', () => {
    const account = pickleClass('bank', 'Account')
    const value: PythonValue = {
      instance: account,
      args: [int(1)],
      isNew: true,
      items: [int(2), durusReference(7, account)],
      state: { dict: [['owner', durusReference(2 ** 40, account)]] },
    }
    for (const protocol of [2, 4] as const) {
      expect(read(new PickleWriter(protocol).dump(value))).to.deep.equal(expected(value))
    }
    expect(readText('Pan id\n.')).to.deep.equal(new PersistentId('an id'))
  })

  it('keeps what is one value one value, and cycles', () => {
    const shared: PythonValue = { list: [int(1)] }
    const cycle: { list: PythonValue[] } = { list: [shared, shared] }
    cycle.list.push(cycle, { tuple: [cycle] })
    for (const protocol of PROTOCOLS) {
      const list = read(new PickleWriter(protocol).dump(cycle)) as unknown[]
      expect(list[0]).to.equal(list[1])
      expect(list[2]).to.equal(list)
      expect((list[3] as PythonTuple).items[0]).to.equal(list)
    }
  })

  it('remembers values for the next pickle only if it is told to go on', () => {
    const writer = new PickleWriter(2)
    const list: PythonValue = { list: [int(1)] }
    const [first, second] = [writer.dump(list), writer.dump({ tuple: [list] })]
    const reader = new PickleReader()
    reader.open(Buffer.concat([first, second]))
    const loaded = reader.load()
    expect(reader.position).to.equal(first.length)
    expect((reader.load() as PythonTuple).items[0]).to.equal(loaded)
    reader.open(first)
    const again = reader.load()
    reader.continue(second)
    expect((reader.load() as PythonTuple).items[0]).to.equal(again)
    reader.open(second)
    expect(thrownBy(() => reader.load()).code).to.equal('PERDURE_DECODE')
  })

  it('reads what older ways of pickling have written', () => {
    expect(readText("S'it\\'s \\x41\\102\\n\\q'\n.")).to.equal("it's AB\n\\q")
    expect(readText('S"caf\\xe9"\n.')).to.deep.equal(new PythonByteString(Buffer.from('caf\xe9', 'latin1')))
    expect(readText('I 12 \n.')).to.equal(12)
    expect(readText('L-18446744073709551616L\n.')).to.equal(-(2n ** 64n))
    expect(readText('F-inf\n.')).to.equal(-Infinity)
    expect(readText('F1e3\n.')).to.equal(1000)
    expect(readText('Va\\u00e9\\U0001f600\\x\n.')).to.equal('aé\u{1f600}\\x')
    expect(readText('(I1\nI2\nl.')).to.deep.equal([1, 2])
    expect(readText('(I1\nI2\nd.')).to.deep.equal(new PythonDict([1, 2]))
    expect(readText('(I1\n(0I2\n0t.')).to.deep.equal(new PythonTuple([1]))
    expect(readText('(K\x01K\x021K\x03.')).to.equal(3)
    expect(readText('K\x012\x86.')).to.deep.equal(new PythonTuple([1, 1]))
    const thing = new PythonGlobal('m', 'Thing')
    expect(readText('(I1\nim\nThing\n.')).to.deep.equal(new PythonObject(thing, [1], false))
    expect(readText('(cm\nThing\nI1\no.')).to.deep.equal(new PythonObject(thing, [1], false))
    const made = new PythonObject(thing, [], true)
    made.state = new PythonDict(['a', 1])
    expect(readText('ccopy_reg\n_reconstructor\n(cm\nThing\nc__builtin__\nobject\nNtR(dVa\nI1\nsb.')).to.deep.equal(
      made,
    )
    const bytearray = 'c__builtin__\nbytearray\n(c_codecs\nencode\n(Va\nVlatin-1\ntRtR.'
    expect(readText(bytearray)).to.deep.equal(Uint8Array.of(97))
    expect(readText('\x82\x05.')).to.deep.equal(new PythonGlobal('copyreg.extension', '5'))
  })

  it('calls nothing, whatever it is asked to call', () => {
    for (const [module, callee] of [
      ['os', 'system'],
      ['builtins', 'eval'],
      ['builtins', 'set'],
      ['_codecs', 'encode'],
      ['copyreg', '_reconstructor'],
      ['__proto__', 'constructor'],
    ]) {
      const value = readText(`c${module}\n${callee}\n(Vprocess.exit(1)\nI1\nVlatin1\ntR.`)
      expect(value).to.be.instanceOf(PythonObject)
      expect((value as PythonObject).args).to.deep.equal(['process.exit(1)', 1, 'latin1'])
    }
  })
})

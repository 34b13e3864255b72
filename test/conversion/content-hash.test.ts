import { expect } from 'chai'
import fc from 'fast-check'
import { contentHash } from '../../src/conversion/content-hash.js'
import { encodeRecord, encodeUntypedRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import type { Serializer, State } from '../../src/core/serializer.js'
import type { RecordWrite } from '../../src/core/storage.js'
import { cbor, devalue, msgpack } from '../../src/serializers/index.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { REFERENCES, randomState, stateCases } from '../../src/testing/serializer-values.js'
import { failure } from '../support/errors.js'
import { encodeObject } from '../support/state-records.js'

const SERIALIZERS = [msgpack, cbor, devalue] as const

async function storageOf(serializer: string, writes: readonly RecordWrite[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage({ serializer })
  await storage.commit({ base: 0, reads: [], writes, restored: { time: new Date(0) } })
  return storage
}

async function hashOf(serializer: string, writes: readonly RecordWrite[]): Promise<string> {
  return (await contentHash(await storageOf(serializer, writes))).hash
}

const hashOfState = (serializer: Serializer, state: State, oid = 0, className = 'Thing') =>
  hashOf(serializer.name, [{ oid, data: encodeObject(serializer, className, state) }])

/** An array that has a hole in one place. */
function holed(array: unknown[], at: number): unknown[] {
  delete array[at]
  return array
}

/** Each differs from every other one. */
function differentStates(): State[] {
  const shared = { a: 1 }
  const [first, second] = REFERENCES
  const date = new Date(5)
  const loop: State = {}
  loop['x'] = loop
  const values: unknown[] = [
    ...[undefined, null, true, false, 0, -0, 1, '1', 1n, -1n, Number.NaN, Number.POSITIVE_INFINITY, '', 'é', '\ud800'],
    ...['\ufffd', '\udc00', 'a', 'b', 'x'.repeat(100), 'x'.repeat(101), new Date(5), new Date(6), new Date(Number.NaN)],
    ...[/a/, /b/, /a/g, [], [undefined], [1, 2], [2, 1], new Array(1), new Array(2), { a: 1, b: 2 }, { b: 2, a: 1 }],
    ...[{}, { a: undefined }, JSON.parse('{"__proto__":1}'), new Map(), new Set(), new Map([[1, 2]])],
    ...[
      new Map([
        [1, 2],
        [3, 4],
      ]),
      new Map([
        [3, 4],
        [1, 2],
      ]),
      new Set([1, 2]),
      new Set([2, 1]),
      new ArrayBuffer(2),
    ],
    ...[new Uint8Array(2), new Int8Array(2), new Uint16Array(1), new Uint8Array(3), Uint8Array.of(0, 1), first, second],
    ...[
      [first, second],
      [second, first],
      [first, first],
      [[shared], [shared]],
      [[{ a: 1 }], [{ a: 1 }]],
      [date, date],
    ],
    ...[
      [new Date(5), new Date(5)],
      holed([1, 0, 2], 1),
      [1, undefined, 2],
      holed([0, 1], 0),
      holed([1, 0], 1),
      [1],
      ['a', 'b'],
      ['ab'],
      ['a', ['b']],
    ],
    ...[new Float64Array([Number.NaN]), new Float32Array(2), new BigInt64Array(1), 2 ** 53, 2n ** 70n, 16n, '10'],
  ]
  return [{}, loop, { x: { x: loop } }, ...values.map((value) => ({ x: value })), { y: 1 }, { x: 1, y: 1 }]
}

describe('contentHash', () => {
  it('is the same for every serializer, for all that a state may hold', async () => {
    for (const [name, state] of stateCases()) {
      const hashes = await Promise.all(SERIALIZERS.map((serializer) => hashOfState(serializer, state)))
      expect(new Set(hashes).size, name).to.equal(1)
    }
  })

  it('is the same for every serializer and every order, for random states', async () => {
    const seed = runSeed()
    const random = new Random(seed)
    for (let round = 0; round < 300; round++) {
      const states = Array.from({ length: 1 + random.below(4) }, () => randomState(random, 1 + random.below(50)))
      const hashes = SERIALIZERS.map((serializer, i) => {
        const writes = states.map((state, oid) => ({ oid, data: encodeObject(serializer, `Class${oid % 2}`, state) }))
        return hashOf(serializer.name, i === 1 ? writes.reverse() : writes)
      })
      expect(new Set(await Promise.all(hashes)).size, `PERDURE_SEED=${seed}, round ${round}`).to.equal(1)
    }
  })

  it('differs if a single value does', async () => {
    const met = new Map<string, State>()
    for (const state of differentStates()) {
      const hash = await hashOfState(msgpack, state)
      expect(met.get(hash), 'two states have the same hash').to.equal(undefined)
      met.set(hash, state)
    }
  })

  it('differs if a single value anywhere in a random state does', async () => {
    const leaf = fc.oneof(fc.integer(), fc.string(), fc.bigInt(), fc.boolean(), fc.double())
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('tree')), fc.dictionary(fc.string(), tie('tree'))),
    }))
    const keys = fc.array(fc.nat(), { minLength: 5, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), tree), keys, async (state, path) => {
        const before = await hashOfState(cbor, state)
        expect(await hashOfState(devalue, state)).to.equal(before)
        const copy = structuredClone(state)
        changeAt(copy, path)
        expect(await hashOfState(cbor, copy)).to.not.equal(before)
      }),
      { numRuns: 300 },
    )
  })

  it('differs if an oid, a class or a reference does', async () => {
    const state = { a: 1, b: REFERENCES[1] }
    const hashes = new Set([
      await hashOfState(msgpack, state),
      await hashOfState(msgpack, state, 1),
      await hashOfState(msgpack, state, 0, 'Thin'),
      await hashOfState(msgpack, { a: 1, b: new Reference(7, 'Accounts') }),
      await hashOfState(msgpack, { a: 1, b: new Reference(8, 'Account') }),
      await hashOf('msgpack', []),
    ])
    expect(hashes.size).to.equal(6)
    // What a record lists and its state does not use belongs to the object too.
    const state0 = Uint8Array.from(msgpack.encode({}, { position: () => 0 }))
    const listing = (references: Reference[]) =>
      hashOf('msgpack', [{ oid: 0, data: encodeRecord('Thing', references, state0) }])
    const [a, b] = [new Reference(1, 'A'), new Reference(1, 'B')]
    expect(await listing([a, b, a])).to.equal(await listing([b, a]))
    expect(await listing([a])).to.not.equal(await listing([b]))
  })

  it('knows pickles by their bytes', async () => {
    const pickles = (...states: string[]) =>
      hashOf(
        'pickle',
        states.map((state, oid) => ({ oid, data: encodeUntypedRecord('C', [0], Buffer.from(state)) })),
      )
    expect(await pickles('one', 'two')).to.equal(await pickles('one', 'two'))
    expect(await pickles('one', 'two')).to.not.equal(await pickles('two', 'one'))
  })

  it('stays what it is from version to version', async () => {
    const hashes: Record<string, string> = {}
    for (const [name, state] of stateCases()) hashes[name] = await hashOfState(msgpack, state)
    expect(hashes).to.deep.equal(FIXED)
  })

  it('is that of a chosen snapshot, counts, and tells how far it is', async () => {
    const storage = await storageOf('msgpack', [{ oid: 0, data: encodeObject(msgpack, 'Thing', { a: 1 }) }])
    const before = await contentHash(storage)
    const snapshot = storage.snapshot()
    const data = encodeObject(msgpack, 'Thing', { a: 2, b: 3 })
    await storage.commit({ base: 1, reads: [], writes: [{ oid: 0, data }] })
    const seen: number[] = []
    const onProgress = ({ objects }: { objects: number }) => void seen.push(objects)
    expect(await contentHash(storage, { snapshot, onProgress })).to.deep.equal(before)
    expect(seen.at(-1)).to.equal(1)
    expect((await contentHash(storage)).hash).to.not.equal(before.hash)
    expect(await contentHash(storage)).to.include({ objects: 1, bytes: data.length })
    snapshot.release()
  })

  it('does not depend on the order of many objects, which threads hash', async () => {
    const writes = Array.from({ length: 30_000 }, (_, oid) => ({
      oid,
      data: encodeObject(msgpack, 'Thing', { oid, text: `text ${oid}` }),
    }))
    const whole = await hashOf('msgpack', writes)
    expect(await hashOf('msgpack', writes.reverse())).to.equal(whole)
    expect(await hashOf('msgpack', writes.slice(1))).to.not.equal(whole)
  })

  it('names the object that cannot be decoded, and gives up when told', async () => {
    const bad = { oid: 5, data: encodeRecord('Thing', [], Buffer.from([0xc1])) }
    const error = await failure('PERDURE_DECODE', () => hashOf('msgpack', [bad]))
    expect(error.details).to.include({ oid: 5 })
    expect(error.message).to.match(/object 5 /)
    const storage = await storageOf('msgpack', [])
    await failure('PERDURE_CLOSED', () => storage.close().then(() => contentHash(storage)))
    const reason = new Error('enough')
    const given = await storageOf('msgpack', [{ oid: 0, data: encodeObject(msgpack, 'Thing', {}) }])
    const thrown = await contentHash(given, { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error)
    expect(thrown).to.equal(reason)
    await failure('PERDURE_SERIALIZER', () => hashOf('paper', [bad]))
  })
})

/** Changes the value that is found by always going on with the child of that number. */
function changeAt(state: State, [at = 0, ...path]: readonly number[]): void {
  const keys = Object.keys(state)
  const key = keys[at % keys.length]
  const child = key === undefined ? undefined : state[key]
  if (key === undefined) Object.assign(state, { 'a new key': 1 })
  else if (typeof child === 'object' && child !== null && path.length > 0 && !Array.isArray(child))
    changeAt(child as State, path)
  else state[key] = ['another value', child]
}

/** Of msgpack's states; the serializer does not matter. */
const FIXED: Record<string, string> = {
  'ArrayBuffers and typed arrays': '9e8068e3779ea478f29b4bfda6e259cea9edf34904b48ee300d09e366db2b670',
  'Maps and Sets': '4bb8cec4f112612bb89e1552a58878670c63ba34ea40baf62c39cfb60ce21d01',
  'a value that occurs twice': '491b0bac9b4d4556b129fe5d58d43ab487cae6120902c70f41c32fafffc8d014',
  'a view of a part of a buffer': '4f2132ccbe09010c8f3dc7cf4ccf151fcc541752813d592788f8cfbdd9fd1562',
  'an empty state': 'c81f51c1b4913d6a2babf8c4c944d51e0b184e4d0b7015e76f82e5ac9ce3f0ed',
  'an ordinary state': '0c97457b69bf903c541d991f0f84a22283e43369d082b9f9b49143a7db9c348d',
  arrays: '69d0d8a30ce9b6b8747acdb5acf00890e739f5d1341ea6c4f6f54441a1763caf',
  bigints: '0cc3a90b079073380d5423f55571057b21ea8808993b7770e686399298434f9f',
  cycles: '3a3513cf9b29cf54f35f0b7deaa732b2a29989759bd6b86fc317a9050b4dcd76',
  dates: '22c5e71fb4980e4944e6efbdf6cf2e7d8eca07f145304769bad9146a9982863e',
  holes: 'f9e7a3ae7df3c4f4f61cfb113873d0bd001d34294dc0ab5d663f3943c1c041c0',
  'many keys': '387e480214836bc841b0163a4144e474e9808a0a050c16b63eeb270cf1b39a5c',
  'nesting of 500': 'a4f84f9e2910e13d93f68c20d369a52ce1c280ada988899df6b2f19e536a8cdb',
  'nesting of 500 in a cycle': 'bfc035ad0710049e8337262bd217967f5e224c3737114590ea57ac29b731e797',
  'null, undefined and booleans': 'ea0ba418000dae8f1a7835585b52175976ba5f725159ced90681f5f4e32731dd',
  numbers: 'd7e1664e379c705c943e27e031867a08523bcd544f3f79b06193f24d80eb897e',
  'objects without a prototype': '1baa388c7d9a2afd4596dee4f8596f26d70fc0e3872f09d3d1a6e759249d2b5a',
  references: '4132d45b518964b51c63707e278b2f52f3d3624668730695fa113061cb58f6e3',
  'regular expressions': 'c9e77c5f1e4068e8f257f99227d4e38328ddb660b922260f097cbcbb08e098f7',
  'strange keys': '41b7c726c7f7eb8d809f03b714f31bec769765414ba904c87b56ae4eb821a50a',
  strings: '6f154825523ee429e8a20d6eb6a7532118c5a8ed77c227e54f1114d3f297b91d',
  'the order of keys': 'c8bfe094d417a807a0e8fef2000fa028f017f7ed014050a5701ee38394d03b30',
}

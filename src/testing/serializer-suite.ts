import assert from 'node:assert/strict'
import { types } from 'node:util'
import { PerdureError } from '../core/errors.js'
import { Reference } from '../core/reference.js'
import {
  MAX_DEPTH,
  type ReferenceReader,
  type ReferenceWriter,
  type Serializer,
  type State,
} from '../core/serializer.js'
import { mutate } from './mutation.js'
import { runSeed, seeded } from './random.js'
import { assertSameValue } from './same-value.js'
import { nestedObjects, REFERENCES, randomState, stateCases } from './serializer-values.js'

/** The two functions of a test framework that a suite is registered with: those of mocha, vitest or node:test. */
export interface TestFramework {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => void): unknown
}

export interface SerializerSuiteOptions {
  /** How many random states are encoded and decoded; 3,000 by default. */
  readonly states?: number
  /** How many damaged encodings are decoded; 200,000 by default. 0 for a serializer that trusts its bytes. */
  readonly mutations?: number
}

/**
 * Registers tests of everything that the contract {@link Serializer} asks for. What is random in them is repeated
 * by setting the environment variable PERDURE_SEED to the number that a failure gives.
 *
 * @example
 * import { serializerSuite } from 'perdure/testing'
 * serializerSuite(mySerializer, { describe, it })
 */
export function serializerSuite(
  serializer: Serializer,
  { describe, it }: TestFramework,
  { states = 3_000, mutations = 200_000 }: SerializerSuiteOptions = {},
): void {
  const seed = runSeed()
  describe(`serializer ${serializer.name}`, () => {
    it('has a valid name', () => assert.match(serializer.name, /^[a-z0-9._-]{1,31}$/))

    describe('gives back', () => {
      for (const [name, state] of stateCases()) it(name, () => assertRoundTrip(serializer, state))
    })

    it(`gives back ${states} random states`, () => {
      seeded(seed, (random) => {
        for (let i = 0; i < states; i++) assertRoundTrip(serializer, randomState(random, 1 + (i % 50)))
      })
    })

    it('gives back nothing that shares memory with the bytes', () => assertOwnMemory(serializer))
    it('keeps nothing between calls', () => assertStateless(serializer))

    if (mutations === 0) return
    describe('refuses', () => {
      it('bytes that end early', () => assertRefusesPrefixes(serializer))
      it('bytes after the value', () => assertRefusesTail(serializer))
      it('references beyond the list', () => assertRefusesReference(serializer))
      it('nesting that is too deep', () => assertRefusesDepth(serializer))
      it(`${mutations} damaged encodings, or makes states of them`, () => {
        seeded(seed, (random) => {
          const corpus = makeCorpus(serializer)
          for (let i = 0; i < mutations; i++) assertBearable(serializer, mutate(random, corpus))
        })
      })
    })
  })
}

const writer: ReferenceWriter = { position: (reference) => REFERENCES.indexOf(reference) }

const reader: ReferenceReader = {
  count: REFERENCES.length,
  at(position) {
    const reference = REFERENCES[position]
    assert.ok(reference !== undefined, `there was a call for the reference at ${position}`)
    return reference
  },
}

function encode(serializer: Serializer, state: State): Uint8Array {
  return Uint8Array.from(serializer.encode(state, writer))
}

function assertRoundTrip(serializer: Serializer, state: State): void {
  assertSameValue(serializer.decode(encode(serializer, state), reader), state)
}

function assertOwnMemory(serializer: Serializer): void {
  const state = { bytes: new Uint8Array(20).fill(7), buffer: new Uint8Array(20).fill(7).buffer, text: 'x'.repeat(100) }
  const bytes = encode(serializer, state)
  const decoded = serializer.decode(bytes, reader)
  bytes.fill(0)
  assertSameValue(decoded, state)
}

function assertStateless(serializer: Serializer): void {
  const states = stateCases().map(([, state]) => state)
  const encoded = states.map((state) => encode(serializer, state))
  for (const [i, bytes] of [...encoded.entries()].reverse()) {
    assert.throws(() => serializer.decode(bytes.subarray(0, bytes.length - 1), reader))
    assertSameValue(serializer.decode(bytes, reader), states[i])
    assert.equal(Buffer.compare(encode(serializer, states[i] as State), bytes), 0, 'the same state makes other bytes')
  }
}

function isDecodeError(error: unknown): boolean {
  return error instanceof PerdureError && error.code === 'PERDURE_DECODE'
}

function assertRefusesPrefixes(serializer: Serializer): void {
  for (const bytes of makeCorpus(serializer)) {
    for (let end = 0; end < bytes.length; end += 1 + (end >> 6)) {
      assert.throws(() => serializer.decode(bytes.subarray(0, end), reader), isDecodeError)
    }
  }
}

function assertRefusesTail(serializer: Serializer): void {
  const bytes = encode(serializer, { a: 1 })
  for (const tail of [Uint8Array.of(0), Uint8Array.of(0xc0), bytes]) {
    assert.throws(() => serializer.decode(Buffer.concat([bytes, tail]), reader), isDecodeError)
  }
}

function assertRefusesReference(serializer: Serializer): void {
  const bytes = encode(serializer, { list: REFERENCES.slice(0, 6) })
  const fewer: ReferenceReader = { count: 5, at: (position) => reader.at(position) }
  assert.throws(() => serializer.decode(bytes, fewer), isDecodeError)
}

function assertRefusesDepth(serializer: Serializer): void {
  for (const depth of [MAX_DEPTH + 2, MAX_DEPTH + 100]) {
    const bytes = encode(serializer, nestedObjects(depth))
    assert.throws(() => serializer.decode(bytes, reader), isDecodeError)
  }
}

function makeCorpus(serializer: Serializer): Uint8Array[] {
  const corpus = stateCases().map(([, state]) => encode(serializer, state))
  seeded(1, (random) => {
    for (let i = 0; i < 300; i++) corpus.push(encode(serializer, randomState(random, 1 + (i % 30))))
  })
  return corpus.filter((bytes) => bytes.length < 2_000)
}

const prototypes = [Object.prototype, Array.prototype, Map.prototype, Set.prototype, Function.prototype]
const prototypeKeys = prototypes.map((prototype) => Reflect.ownKeys(prototype).length)

/** Each byte can stand for so many values and characters, and each state may have as many more. */
const GROWTH = 8

function assertBearable(serializer: Serializer, bytes: Uint8Array): void {
  try {
    const state = serializer.decode(bytes, reader)
    assert.equal(Object.getPrototypeOf(state), Object.prototype)
    const weight = weigh(state)
    assert.ok(weight <= (bytes.length + 1) * GROWTH, `${bytes.length} bytes made a state of ${weight}`)
  } catch (error) {
    if (!isDecodeError(error)) {
      throw new Error(`Decoding ${Buffer.from(bytes).toString('hex')} threw ${error}`, { cause: error })
    }
  }
  for (const [i, prototype] of prototypes.entries()) {
    assert.equal(Reflect.ownKeys(prototype).length, prototypeKeys[i], 'a prototype was changed')
  }
}

/** How many values, characters and bytes hang on `root`. Fails if they nest too deeply to be walked. */
function weigh(root: unknown): number {
  const met = new Set<object>()
  let weight = 0

  function visit(value: unknown, depth: number): void {
    weight++
    if (typeof value === 'string') weight += value.length
    if (typeof value !== 'object' || value === null || value instanceof Reference || met.has(value)) return
    met.add(value)
    assert.ok(depth <= MAX_DEPTH + 1, 'it nests too deeply')
    if (types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)) weight += value.byteLength
    else if (types.isMap(value)) for (const entry of value) for (const each of entry) visit(each, depth + 1)
    else if (types.isSet(value)) for (const each of value) visit(each, depth + 1)
    else for (const key of Object.keys(value)) visit(Object.getOwnPropertyDescriptor(value, key)?.value, depth + 1)
  }

  visit(root, 0)
  return weight
}

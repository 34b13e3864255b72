import { deserialize, serialize } from 'node:v8'
import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import {
  cbor,
  loadSerializer,
  msgpack,
  registerSerializer,
  type Serializer,
  type State,
  serializerModules,
  serializerNames,
} from '../../src/serializers/index.js'
import { serializerSuite } from '../../src/testing/serializer-suite.js'
import { failure } from '../support/errors.js'
import { caught } from './caught.js'

/** What others may write: V8's own format. It trusts its bytes, and has no word for references to objects. */
function v8Serializer(name: string): Serializer {
  return {
    name,
    encode: (state) => serialize(state),
    decode: (bytes) => deserialize(bytes) as State,
  }
}

const NO_REFERENCES = { count: 0, at: () => expect.fail('there are no references') }

describe('the registry of serializers', () => {
  it('has the three of the package, the default first', async () => {
    expect(serializerNames().slice(0, 3)).to.deep.equal(['msgpack', 'cbor', 'devalue'])
    expect(await loadSerializer('msgpack')).to.equal(msgpack)
    expect(await loadSerializer('cbor')).to.equal(cbor)
  })

  it('says which serializers there are, and how to register one, when asked for another', async () => {
    const error = await failure('PERDURE_SERIALIZER', () => loadSerializer('yaml'))
    expect(error.message).to.match(/"yaml".*msgpack, cbor, devalue.*registerSerializer\(\)/)
  })

  it('takes one of somebody else, for worker threads too', async () => {
    const mine = v8Serializer('registry-test.v8')
    // Other tests start threads that import it, so it must exist.
    const module = new URL('../../src/serializers/index.js', import.meta.url)
    registerSerializer(mine, { module })
    expect(await loadSerializer('registry-test.v8')).to.equal(mine)
    expect(serializerModules()).to.include(module.href)

    const state = { name: 'ada', at: new Date(5), map: new Map([[1, 2n]]) }
    const bytes = mine.encode(state, { position: () => 0 })
    expect((await loadSerializer('registry-test.v8')).decode(bytes, NO_REFERENCES)).to.deep.equal(state)
  })

  it('takes the same one twice, and no other under its name', async () => {
    const mine = v8Serializer('registry-test.twice')
    registerSerializer(mine)
    registerSerializer(mine, { module: new URL('../../src/serializers/registry.js', import.meta.url) })
    expect(caught(() => registerSerializer(v8Serializer('registry-test.twice'))).code).to.equal('PERDURE_SERIALIZER')
    expect(caught(() => registerSerializer(v8Serializer('msgpack'))).code).to.equal('PERDURE_SERIALIZER')
    expect(await loadSerializer('msgpack')).to.equal(msgpack)
  })

  it('refuses bad names, modules and serializers', () => {
    for (const name of ['', 'Upper', 'a b', 'ü', 'x'.repeat(32), undefined as unknown as string]) {
      expect(caught(() => registerSerializer(v8Serializer(name))).code).to.equal('PERDURE_ARGUMENT')
    }
    const half = { name: 'registry-test.half', encode: msgpack.encode } as unknown as Serializer
    expect(caught(() => registerSerializer(half)).code).to.equal('PERDURE_ARGUMENT')
    expect(
      caught(() => registerSerializer(v8Serializer('registry-test.module'), { module: './here.js' })).code,
    ).to.equal('PERDURE_ARGUMENT')
    expect(serializerNames()).to.not.include('registry-test.module')
  })
})

describe('the suite for serializers', () => {
  it('fails a serializer that loses something', () => {
    const lossy: Serializer = {
      ...msgpack,
      decode: (bytes, references) => ({ ...msgpack.decode(bytes, references), a: 1 }),
    }
    const failed: string[] = []
    serializerSuite(
      lossy,
      {
        describe: (_, body) => body(),
        it: (name, body) => {
          try {
            body()
          } catch (error) {
            expect(error).to.be.instanceOf(Error).and.not.instanceOf(PerdureError)
            failed.push(name)
          }
        },
      },
      { states: 10, mutations: 0 },
    )
    expect(failed).to.include.members(['an empty state', 'gives back 10 random states', 'cycles'])
  })
})

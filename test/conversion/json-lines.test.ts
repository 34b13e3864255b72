import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'chai'
import { contentHash } from '../../src/conversion/content-hash.js'
import { decodeRecord, encodeRecord, encodeUntypedRecord } from '../../src/core/record.js'
import type { Reference } from '../../src/core/reference.js'
import type { State } from '../../src/core/serializer.js'
import type { Storage } from '../../src/core/storage.js'
import { exportLines, importLines } from '../../src/json-lines.js'
import { openSource } from '../../src/open-source.js'
import { loadSerializer } from '../../src/serializers/registry.js'
import { FileStorage } from '../../src/storages/file.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { assertSameValue } from '../../src/testing/same-value.js'
import { REFERENCES, stateCases } from '../../src/testing/serializer-values.js'
import { failure } from '../support/errors.js'
import { encodeObject, FIRST_FREE, fillWithStates, randomStates } from '../support/state-records.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const CASES = stateCases()

const byOid = new Map(REFERENCES.map((reference) => [reference.oid, reference]))

const SERIALIZERS = ['msgpack', 'cbor', 'devalue'] as const

describe('An export', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** A storage that has an object for each state. */
  async function makeStorage(name: string): Promise<MemoryStorage> {
    const serializer = await loadSerializer(name)
    const targets = REFERENCES.map(({ oid, className }) => ({ oid, data: encodeObject(serializer, className, {}) }))
    const states = CASES.map(([, state], i) => ({
      oid: FIRST_FREE + i,
      data: encodeObject(serializer, 'Holder', state),
    }))
    const storage = new MemoryStorage({ serializer: name })
    await storage.commit({ base: 0, reads: [], writes: [...targets, ...states] })
    return storage
  }

  async function stateOf(storage: Storage, oid: number): Promise<{ className: string; state: State }> {
    const serializer = await loadSerializer(storage.serializer)
    const snapshot = storage.snapshot()
    const record = decodeRecord(snapshot.load(oid)?.data as Uint8Array)
    snapshot.release()
    // The very references that the cases have.
    const at = (position: number) => byOid.get(record.at(position).oid) as Reference
    const { className, count } = record
    expect(record.references.every((reference) => reference.className === 'Account')).to.equal(true)
    return { className, state: serializer.decode(record.state, { count, at }) }
  }

  for (const [from, to] of [
    ['msgpack', 'cbor'],
    ['cbor', 'devalue'],
    ['devalue', 'msgpack'],
  ] as const) {
    it(`gives everything back as it was, from ${from} to ${to}`, async () => {
      const source = await makeStorage(from)
      const path = directory.join('copy.perdure')
      const { objects } = await importLines(path, exportLines(source), { serializer: to })
      expect(objects).to.equal(REFERENCES.length + CASES.length)
      expect(readdirSync(directory.path)).to.deep.equal(['copy.perdure', 'copy.perdure.index'])
      await using copy = await FileStorage.open(path)
      expect(copy.serializer).to.equal(to)
      expect(copy.statistics()).to.include({ objects })
      expect(copy.allocateOids(1)).to.equal(FIRST_FREE + CASES.length)
      for (const [i, [, state]] of CASES.entries()) {
        const { className, state: imported } = await stateOf(copy, FIRST_FREE + i)
        expect(className).to.equal('Holder')
        assertSameValue(imported, state)
      }
      expect(await copy.verify()).to.include({ problemCount: 0 })
    })
  }

  it('that is not whole, or is none, is refused, and leaves nothing behind', async () => {
    const storage = new MemoryStorage({ serializer: 'msgpack' })
    const { encode } = await loadSerializer('msgpack')
    const state = Uint8Array.from(encode({ a: 1 }, { position: () => 0 }))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: encodeRecord('Thing', [], state) }] })
    const lines: string[] = []
    for await (const line of exportLines(storage)) lines.push(line)
    const [title = '', object = '', end = ''] = lines
    const REFUSED: [string[], RegExp][] = [
      [[], /Line 1: the export is not whole/],
      [[title, object], /Line 3: the export is not whole/],
      [[title, end], /not whole/],
      [[title, object, end, object], /Line 4: something follows/],
      [[object, end], /Line 1: this is no export/],
      [[title.replace('"version":1', '"version":2'), object, end], /version 2 of the format is not known/],
      [[title, '{"oid":', end], /Line 2: it is no JSON object/],
      [[title, object.replace('"oid":0', '"oid":-1'), end], /Line 2: oid/],
      [[title, object.replace('"Thing"', '""'), end], /Line 2: class/],
      [[title, object.replace('"references":[]', '"references":[[1]]'), end], /Line 2: a reference is wrong/],
      [[title, object.replace(/"state":.*\}/, '"state":[["Reference",9]]}'), end], /Line 2: /],
      [[title, '{}', end], /Line 2: oid/],
    ]
    for (const [given, message] of REFUSED) {
      const error = await failure('PERDURE_ARGUMENT', () => importLines(directory.join('x'), iterate(given)))
      expect(error.message).to.match(message)
      expect(readdirSync(directory.path)).to.deep.equal([])
    }
    await failure('PERDURE_SERIALIZER', () => importLines(directory.join('x'), iterate(lines), { serializer: 'paper' }))
    expect(existsSync(directory.join('x'))).to.equal(false)
  })

  it('of more than one part is imported, whatever refers to what', async () => {
    const objects = 200
    const state = [{ text: 1 }, 'x'.repeat(100_000)]
    const lines = Array.from({ length: objects }, (_, oid) =>
      JSON.stringify({ oid, class: 'Link', references: [[objects - 1 - oid, 'Link']], state }),
    )
    // As the first versions have written it.
    const title = '{"format":"perdure-export","version":1,"tid":1}'
    const path = directory.join('x')
    await importLines(path, iterate([title, ...lines, `{"objects":${objects}}`]))
    await using storage = await FileStorage.open(path, { readonly: true })
    expect(storage.statistics().tid).to.be.greaterThan(2)
    expect(await storage.verify()).to.include({ objects, problemCount: 0 })
  })

  it('of random objects has the same content hash again, from and to every serializer', async () => {
    const seed = runSeed()
    const random = new Random(seed)
    for (let round = 0; round < 10; round++) {
      const serializer = random.pick(SERIALIZERS)
      const source = new MemoryStorage({ serializer })
      await fillWithStates(source, randomStates(random, 1 + random.below(100)))
      const { hash } = await contentHash(source)
      const path = directory.join(`${round}`)
      const to = random.pick(SERIALIZERS)
      const storage = random.pick(['file', 'sqlite'])
      const message = `PERDURE_SEED=${seed}, round ${round}, ${serializer} to ${to} in ${storage}`
      const result = await importLines(path, exportLines(source), { serializer: to, storage })
      expect(result, message).to.include({ hash })
      const copy = await openSource(path)
      expect(copy, message).to.include({ kind: storage, serializer: to })
      expect((await contentHash(copy)).hash, message).to.equal(hash)
      expect(await readAll(exportLines(copy)), message).to.include(`"hash":"${hash}"`)
      await copy.close()
    }
  })

  it('keeps oids that have been given out from being given out again', async () => {
    const path = directory.join('a')
    {
      await using storage = await FileStorage.open(path)
      storage.allocateOids(1000)
      await fillWithStates(storage, [{}])
    }
    await using storage = await FileStorage.open(path)
    const next = storage.allocateOids(1)
    const lines = (await readAll(exportLines(storage))).trim().split('\n')
    await importLines(directory.join('b'), iterate(lines))
    await using copy = await FileStorage.open(directory.join('b'))
    expect(copy.allocateOids(1)).to.be.within(next, next + 1)
    const other = (lines.at(-1) as string).replace(/"nextOid":\d+/, '"nextOid":1000000000')
    await failure('PERDURE_ARGUMENT', () => importLines(directory.join('c'), iterate([...lines.slice(0, -1), other])))
  })

  it('of pickles has their bytes, and can only be imported as pickles', async () => {
    const storage = new MemoryStorage({ serializer: 'pickle' })
    const data = encodeUntypedRecord('Node', [0, 0], Buffer.from('(dp0\xff\n.', 'latin1'))
    await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data }] })
    const text = await readAll(exportLines(storage))
    expect(text).to.include('"serializer":"pickle"').and.include('"references":[[0,""],[0,""]],"bytes":"KGRwMP8KLg=="')
    const lines = text.trim().split('\n')
    const { hash } = await importLines(directory.join('a'), iterate(lines))
    expect(hash).to.equal((await contentHash(storage)).hash)
    await using copy = await FileStorage.open(directory.join('a'), { readonly: true })
    expect(copy.serializer).to.equal('pickle')
    const snapshot = copy.snapshot()
    expect(snapshot.load(0)?.data).to.deep.equal(data)
    snapshot.release()
    const into = (given: string[], serializer?: string) => () =>
      importLines(directory.join('b'), iterate(given), { serializer })
    const error = await failure('PERDURE_SERIALIZER', into(lines, 'cbor'))
    expect(error.message).to.match(/import-durus/)
    await failure('PERDURE_SERIALIZER', into((await readAll(exportLines(new MemoryStorage()))).split('\n'), 'pickle'))
    for (const bytes of ['"KGRwMP8KLg="', '"KGRwMP8KLg==="', '5', '"K GR"']) {
      await failure('PERDURE_ARGUMENT', into(lines.map((line) => line.replace('"KGRwMP8KLg=="', bytes))))
    }
    expect(readdirSync(directory.path)).to.not.include('b')
  })

  it('that was changed, or refers to what it does not have, is refused', async () => {
    const source = new MemoryStorage()
    await fillWithStates(source, [{ text: 'abc' }])
    const lines = (await readAll(exportLines(source))).trim().split('\n')
    const changed = lines.map((line) => line.replace('abc', 'abd'))
    const error = await failure('PERDURE_ARGUMENT', () => importLines(directory.join('a'), iterate(changed)))
    expect(error.message).to.match(/not those that were exported/)
    const object = JSON.stringify({ oid: 3, class: 'Link', references: [[4, 'Link']], state: [{}] })
    const dangling = ['{"format":"perdure-export","version":1,"tid":1}', object, '{"objects":1}']
    const { details } = await failure('PERDURE_OBJECT_MISSING', () =>
      importLines(directory.join('a'), iterate(dangling)),
    )
    expect(details).to.include({ oid: 4, referrer: 3 })
    const twice = [dangling[0] as string, object, object, '{"objects":2}']
    expect(
      (await failure('PERDURE_ARGUMENT', () => importLines(directory.join('a'), iterate(twice)))).details,
    ).to.include({ oid: 3 })
    await failure('PERDURE_ARGUMENT', () => importLines(directory.join('a'), iterate(lines), { storage: 'paper' }))
    expect(readdirSync(directory.path)).to.deep.equal([])
  })

  async function* iterate(lines: readonly string[]): AsyncGenerator<string> {
    yield* lines
  }

  async function readAll(lines: AsyncIterable<string>): Promise<string> {
    let text = ''
    for await (const line of lines) text += line
    return text
  }
})

import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'chai'
import { decodeRecord, encodeRecord } from '../src/core/record.js'
import type { Reference } from '../src/core/reference.js'
import type { State } from '../src/core/serializer.js'
import type { Storage } from '../src/core/storage.js'
import { exportLines } from '../src/export-lines.js'
import { importLines } from '../src/import-lines.js'
import { loadSerializer } from '../src/serializers/registry.js'
import { FileStorage } from '../src/storages/file.js'
import { MemoryStorage } from '../src/storages/memory.js'
import { assertSameValue } from '../src/testing/same-value.js'
import { REFERENCES, stateCases } from '../src/testing/serializer-values.js'
import { failure } from './support/errors.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const CASES = stateCases()

const byOid = new Map(REFERENCES.map((reference) => [reference.oid, reference]))

/** The objects that the states refer to stand before those with the states. */
const FIRST = Math.max(...REFERENCES.map(({ oid }) => oid)) + 1

describe('An export', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** A storage that has an object for each state. */
  async function makeStorage(name: string): Promise<MemoryStorage> {
    const serializer = await loadSerializer(name)
    const encode = (state: State) => {
      const references: Reference[] = []
      const position = (reference: Reference) => {
        const known = references.indexOf(reference)
        return known < 0 ? references.push(reference) - 1 : known
      }
      const bytes = Uint8Array.from(serializer.encode(state, { position }))
      return { references, bytes }
    }
    const targets = REFERENCES.map(({ oid, className }) => ({
      oid,
      data: encodeRecord(className, [], encode({}).bytes),
    }))
    const states = CASES.map(([, state], i) => {
      const { references, bytes } = encode(state)
      return { oid: FIRST + i, data: encodeRecord('Holder', references, bytes) }
    })
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
      const objects = await importLines(path, exportLines(source), { serializer: to })
      expect(objects).to.equal(REFERENCES.length + CASES.length)
      expect(readdirSync(directory.path)).to.deep.equal(['copy.perdure'])
      await using copy = await FileStorage.open(path)
      expect(copy.serializer).to.equal(to)
      expect(copy.statistics()).to.include({ objects })
      expect(copy.allocateOids(1)).to.equal(FIRST + CASES.length)
      for (const [i, [, state]] of CASES.entries()) {
        const { className, state: imported } = await stateOf(copy, FIRST + i)
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

  async function* iterate(lines: readonly string[]): AsyncGenerator<string> {
    yield* lines
  }
})
